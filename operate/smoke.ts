import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { ConfigError, messageOf, StageError } from "../lib/errors.ts";
import { query } from "../lib/postgres/postgres.ts";
import type { PostgresSettings } from "../lib/settings/config.ts";
import type { StageContext } from "../lib/stage.ts";
import { parseInterval } from "./run_stages.ts";

const USAGE = `./totesys smoke [--wait 30m]

Writes a row into the source, waits until the warehouse has it, and removes it
again, to show that a deployment works from end to end. SOURCE_URL must name a
role that may write, and a source where that does no harm.

  --wait 30m  how long it waits`;

const POLL_MS = 5_000;

/** The files of `sql/smoke`. */
const FILES = ["write", "seen", "remove", "remove_left"] as const;
type SmokeSql = Record<typeof FILES[number], string>;

/** How long a row may take, and how often to look for it. */
export interface SmokeOptions {
  waitMs: number;
  pollMs?: number;
}

/**
 * Waits for a row of the source in the warehouse; resolves to the seconds it
 * took. The row is always removed from the source. Throws a `StageError` when
 * it doesn't arrive, a `ConfigError` when the company's folder lacks a file.
 */
export async function smoke(
  context: StageContext,
  options: SmokeOptions,
): Promise<number> {
  const { log, signal, config } = context;
  const { waitMs, pollMs = POLL_MS } = options;
  const sql = await readSmokeSql(config.sqlDirectory);
  const began = performance.now();
  const key = -Math.floor(context.clock().getTime() / 1000);
  const use = async (
    settings: PostgresSettings | undefined,
    file: keyof SmokeSql,
  ) => {
    if (settings === undefined) throw new ConfigError([USAGE]);
    await using connection = await context.resources.connect(settings, {
      purpose: "smoke",
    });
    return await query(connection.client, sql[file], [key]);
  };
  for (const left of await use(config.source, "remove_left")) {
    log.info("row {key} of a smoke test that was killed is removed", {
      key: left.key ?? "",
    });
  }
  await use(config.source, "write");
  try {
    log.info("row {key} is in the source", { key });
    while (performance.now() - began < waitMs) {
      signal.throwIfAborted();
      const [row] = await use(config.warehouse, "seen");
      const seconds = Math.round((performance.now() - began) / 1000);
      if (row?.rows === "1") {
        log.info("row {key} is in the warehouse after {seconds} s", {
          key,
          seconds,
        });
        return seconds;
      }
      await sleep(pollMs, undefined, { signal });
    }
    throw new StageError(
      `Cannot see row ${key} in the warehouse: it did not arrive within ${
        Math.round(waitMs / 1000)
      } s`,
      {
        subject: String(key),
        hint: "`./totesys status` says which stage is stuck",
      },
    );
  } finally {
    await use(config.source, "remove").catch((error) => {
      log.error(
        "row {key} stays in the source until the next smoke test, a day later or more: {reason}",
        { key, reason: messageOf(error) },
      );
    });
  }
}

async function readSmokeSql(folder: string): Promise<SmokeSql> {
  const sql: SmokeSql = { write: "", seen: "", remove: "", remove_left: "" };
  const missing: string[] = [];
  for (const file of FILES) {
    try {
      sql[file] = await Deno.readTextFile(join(folder, "smoke", `${file}.sql`));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      missing.push(
        `Cannot run the smoke test: no file sql/smoke/${file}.sql. Write it as in examples/northwind/sql/smoke`,
      );
    }
  }
  if (missing.length > 0) throw new ConfigError(missing);
  return sql;
}

/** Runs `./totesys smoke`; gives the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "smoke",
      usage: USAGE,
      needs: ["source", "warehouse"],
      options: { wait: { type: "string", default: "30m" } },
      writesNothing: true,
      run: async (context, { flags }) => {
        await smoke(context, { waitMs: parseInterval(String(flags.wait)) });
      },
    },
    args,
    io,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
