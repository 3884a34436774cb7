import { join, resolve } from "node:path";
import { stopOrphan } from "../embedded/stop_orphan.ts";
import { type Flags, type ProcessIo, runCommand } from "../lib/cli/command.ts";
import { readProjectSql } from "../lib/project/project_sql.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { parseInterval } from "../operate/run_stages.ts";
import { exampleOf, EXAMPLES, TOTESYS } from "./examples.ts";
import { SALES_ORDERS_MAX } from "./fill.ts";
import { lockFolder } from "./folder_lock.ts";
import { numberFlag } from "./number_flag.ts";
import { runDemo } from "./run_demo.ts";

const USAGE = `./totesys demo [--s3] [--reset] [--every 5s] [--minutes N]

The whole platform at work: an embedded Postgres with the source and the
warehouse, live traffic on the source, and the pipeline every few seconds.

  --s3             put the lake on an embedded S3 server, through httpfs
  --reset          start over: remove what the last demo made
  --every 5s       how often the pipeline runs
  --minutes N      stop after N minutes; default: at Ctrl-C
  --port N         the port of Postgres; default: 54329
  --orders N       sales orders at first; default: ${
  EXAMPLES.map(({ name, orders }) => `${orders} of ${name}`).join(", ")
}
  --directory DIR  where everything is kept; default: .demo
  --example NAME   whose data: ${
  EXAMPLES.map(({ name }) => name).join(", ")
}; default: the first;
                   others keep theirs in DIR/NAME
  --json           one JSON line per event, also on a terminal`;
const PORT = 54_329;
/** The next port is the S3 server's, and the one after that the dashboard's. */
const PORT_MAX = 65_533;
const MINUTES_MAX = 10_000;
/** What the demo creates in its directory, and `--reset` removes. */
const FOLDERS = ["postgres", "postgres.unfinished", "lake", "s3"];

/** Runs `./totesys demo`; returns the exit code. */
export function main(args: readonly string[], io?: ProcessIo): Promise<number> {
  return runCommand(
    {
      name: "demo",
      usage: USAGE,
      needs: [],
      // The example's SQL is read instead of what SQL_DIRECTORY names.
      readsNoSql: true,
      options: {
        example: { type: "string" },
        s3: { type: "boolean" },
        reset: { type: "boolean" },
        every: { type: "string" },
        minutes: { type: "string" },
        port: { type: "string" },
        orders: { type: "string" },
        directory: { type: "string" },
      },
      run: async (context, { flags, write, json }) => {
        const { reset, ...options } = optionsOf(flags);
        const { directory, example } = options;
        const report = (text: string) =>
          json ? context.log.info(text) : write(`${text}\n`);
        using _lock = await lockFolder(directory);
        await stopOrphan(join(directory, "postgres"));
        if (reset) await removeMade(directory);
        const sql = readProjectSql(example.sqlDirectory);
        await runDemo({ ...context, sql }, {
          ...options,
          signal: AbortSignal.any([context.signal, ...options.signals]),
          write,
          report,
          json,
          color: !Deno.env.get("NO_COLOR"),
        });
        report("stopped as asked");
      },
    },
    args,
    io,
  );
}

/** What the flags ask for. */
function optionsOf(flags: Flags) {
  const example = exampleOf(String(flags.example ?? TOTESYS.name));
  const minutes = flags.minutes === undefined ? undefined : numberFlag(flags, {
    name: "minutes",
    fallback: 1,
    max: MINUTES_MAX,
  });
  return {
    example,
    directory: resolve(
      String(flags.directory ?? join(platformDirectory(), ".demo")),
      example === TOTESYS ? "" : example.name,
    ),
    reset: flags.reset === true,
    s3: flags.s3 === true,
    port: numberFlag(flags, {
      name: "port",
      fallback: PORT,
      max: PORT_MAX,
      whole: true,
    }),
    salesOrders: numberFlag(flags, {
      name: "orders",
      fallback: example.orders,
      max: SALES_ORDERS_MAX,
      whole: true,
    }),
    everyMs: parseInterval(String(flags.every ?? "5s")),
    signals: minutes === undefined
      ? []
      : [AbortSignal.timeout(minutes * 60_000)],
  };
}

/** Removes what a demo made. */
async function removeMade(directory: string): Promise<void> {
  for (const folder of FOLDERS) {
    await Deno.remove(join(directory, folder), { recursive: true }).catch(
      (error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      },
    );
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
