import { parseArgs } from "node:util";
import { numberFlag } from "../demo/number_flag.ts";
import { ConfigError, messageOf } from "../lib/errors.ts";
import { commandOf, OURS } from "./against.ts";

const ORDERS_MAX = 1_000_000_000;
const REPEATS_MAX = 1000;
const MULTIPLE_MAX = 1000;

/** What `deno task bench` was asked for. */
export interface Options {
  orders: number;
  questions: boolean;
  /** The other ways to compare with; stages are timed if there are none. */
  peers?: readonly string[];
  repeats: number;
  /** The most that a first load may take, as a multiple of each peer's. */
  atMost: number;
}

/**
 * Reads the command line; throws a `ConfigError` if a number isn't one above
 * zero, or if there is a limit and nothing to compare with.
 */
export function readOptions(args: readonly string[]): Options {
  const flags = parseFlags(args);
  const orders = { name: "orders", fallback: 1_000_000, max: ORDERS_MAX };
  const repeats = { name: "repeats", fallback: 1, max: REPEATS_MAX };
  const atMost = { name: "at-most", fallback: Infinity, max: MULTIPLE_MAX };
  const limited = flags["at-most"] !== undefined;
  const peers = flags.against?.split(",");
  const options = {
    orders: numberFlag(flags, { ...orders, whole: true }),
    questions: flags.questions,
    ...peers === undefined ? {} : { peers },
    repeats: numberFlag(flags, { ...repeats, whole: true }),
    atMost: limited ? numberFlag(flags, atMost) : Infinity,
  };
  const isCompared = (peer: string) =>
    peer !== OURS && commandOf(peer) !== undefined;
  if (limited && !peers?.some(isCompared)) {
    throw new ConfigError([
      "--at-most has nothing to compare with: --against plain, or a name whose command is in BENCH_ and that name, is expected",
    ]);
  }
  return options;
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        orders: { type: "string" },
        against: { type: "string" },
        repeats: { type: "string" },
        "at-most": { type: "string" },
        questions: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new ConfigError([messageOf(error)]);
  }
}
