/**
 * `deno task simulate`: runs whole histories of the platform, each decided by
 * a seed, and checks everything that is promised. Prints a line for each that
 * fails, and how many passed.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPostgresServer } from "../../embedded/postgres_server.ts";
import { fetchHttpfs } from "../../lib/duckdb/httpfs.ts";
import { ConfigError, EXIT, messageOf } from "../../lib/errors.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { ZONE_KINDS, type ZoneKind } from "../harness/platform.ts";
import { openTestS3 } from "../harness/servers/s3.ts";
import { OTHER_COMPANY } from "./company/company.ts";
import failedSeeds from "./failed_seeds.txt" with { type: "text" };
import { simulate } from "./simulate.ts";
import { SIMULATED_NORTHWIND } from "./northwind.ts";
import type { Outcome } from "./outcome.ts";
import { simulateProcesses } from "./process_history.ts";
import type { SimulatedCompany } from "./simulated_company.ts";
import { SIMULATED_TOTESYS } from "./totesys.ts";

const USAGE = `deno task simulate --seed N
deno task simulate --seeds A..B
deno task simulate --minutes M

Runs histories with writers, stages and faults, as a seed decides, and checks
source, lake and warehouse after each.

  --seed N      one history, told in full
  --seeds A..B  each of these
  --minutes M   those that once failed, then as many fresh ones as fit, from a
                seed that is printed
  --least K     with --minutes: so many at least, however long it takes
  --jobs J      so many at once; 3 if it isn't said
  --zones KIND  all of them with their zones in S3, or in a directory
  --company C   all of them with the tables of totesys, northwind, or other
  --in-process  none with real processes
  --fail-fast   stop at the first that fails

A SIGTERM begins no other history, and tells how many passed.`;

/** Whose tables there are, by the names that the flag takes. */
const COMPANIES: Readonly<Record<string, SimulatedCompany>> = {
  totesys: SIMULATED_TOTESYS,
  northwind: SIMULATED_NORTHWIND,
  other: OTHER_COMPANY,
};
const JOBS = 3;
/** Every so many seeds run the stages as real processes, and kill them. */
const PROCESSES_EVERY = 20;
/** Among so many histories, at least one must have had a reader. */
const HISTORIES_READ_MIN = 4;
const SEED_MAX = 2 ** 31;
const SETTINGS = {
  shared_buffers: "256MB",
  max_connections: "300",
  max_prepared_transactions: "64",
};

interface Request {
  first: number;
  /** Undefined: as many as fit. */
  last: number | undefined;
  minutes: number;
  least: number;
  jobs: number;
  /** Undefined: as each seed decides. */
  zones: ZoneKind | undefined;
  /** Likewise. */
  company: SimulatedCompany | undefined;
  inProcess: boolean;
  failFast: boolean;
}

/** Runs `deno task simulate`; gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let request: Request | undefined;
  try {
    request = readRequest(args);
  } catch (error) {
    console.error(messageOf(error));
    return EXIT.usage;
  }
  if (request === undefined) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const extensions = join(platformDirectory(), ".duckdb");
  await fetchHttpfs(extensions);
  Deno.env.set("DUCKDB_EXTENSION_DIRECTORY", extensions);
  const folder = await Deno.makeTempDir({ prefix: "totesys-simulate-" });
  const binDir = Deno.env.get("TEST_POSTGRES_BIN");
  try {
    await using postgres = await startPostgresServer({
      dataDir: join(folder, "postgres"),
      persistent: false,
      settings: SETTINGS,
      ...(binDir === undefined ? {} : { binDir }),
    });
    await using s3 = await openTestS3();
    Deno.env.set("TEST_POSTGRES_URL", postgres.url("postgres"));
    Deno.env.set("TEST_S3_ENDPOINT", s3.endpoint);
    return await runAll(request);
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

/** Runs the histories that are asked for, several at once. */
async function runAll(request: Request): Promise<number> {
  const { first, last, minutes, least, jobs, failFast } = request;
  const start = performance.now();
  const passed: Outcome[] = [];
  const failed: number[] = [];
  let next = first;
  const again = last === undefined ? seedsOf(failedSeeds) : [];
  let isStopping = false;
  Deno.addSignalListener("SIGTERM", () => void (isStopping = true));
  const isDue = () => {
    if (isStopping) return false;
    if (failFast && failed.length > 0) return false;
    if (last !== undefined) return next <= last;
    const minutesGone = (performance.now() - start) / 60_000;
    return minutesGone < minutes || next - first < least;
  };
  const work = async () => {
    while (again.length > 0 || isDue()) {
      const seed = again.shift() ?? next++;
      try {
        const outcome = await runOne(seed, request);
        passed.push(outcome);
        if (first === last) console.log(tell(outcome));
      } catch (error) {
        failed.push(seed);
        console.log(`FAILED ${messageOf(error)}\n`);
      }
    }
  };
  console.log(`histories from seed ${first}, ${jobs} at once`);
  await Promise.all(Array.from({ length: jobs }, work));
  const seconds = (performance.now() - start) / 1000;
  console.log(summary(passed, seconds));
  if (failed.length > 0) console.log(`failed seeds: ${failed.join(" ")}`);
  console.log(`${passed.length} passed, ${failed.length} failed`);
  // Of a few histories each reader may have come too early.
  const isBlind = passed.length >= HISTORIES_READ_MIN &&
    (["lake", "warehouse"] as const).some((place) =>
      passed.every(({ reads }) => reads[place] === 0)
    );
  if (isBlind) console.log("no reader saw any batch of one of the places");
  return failed.length > 0 || isBlind ? EXIT.failed : EXIT.ok;
}

/** The numbers that lines begin with. */
function seedsOf(text: string): number[] {
  return [...text.matchAll(/^\d+/gm)].map(([seed]) => Number(seed));
}

function runOne(
  seed: number,
  { zones, company, inProcess }: Request,
): Promise<Outcome> {
  return seed % PROCESSES_EVERY === 0 && !inProcess
    ? simulateProcesses(seed, { zones, company })
    : simulate(seed, { zones, company });
}

function tell(outcome: Outcome): string {
  const { seed, zones, batches, runs, failed, reads, faults, story } = outcome;
  return `${story.join("\n")}
seed ${seed} on ${zones}: ${batches} batches, ${runs} runs, of which ${failed} did not end well, ${faults.length} faults, ${
    reads.lake + reads.warehouse
  } reads`;
}

function summary(outcomes: readonly Outcome[], seconds: number): string {
  const sum = (of: (outcome: Outcome) => number) =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return `${sum((one) => one.batches)} batches, ${
    sum((one) => one.runs)
  } runs of stages, ${sum((one) => one.faults.length)} faults, of which ${
    sum(({ struckIn }) => struckIn.merges)
  } in merges and ${
    sum(({ struckIn }) => struckIn.groups)
  } in commits of groups, ${sum((one) => one.compactions)} compactions, ${
    sum((one) => one.sweeps)
  } sweeps, ${sum(({ reads }) => reads.lake + reads.warehouse)} reads in ${
    Math.round(seconds)
  } s`;
}

function readRequest(args: readonly string[]): Request | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      least: { type: "string", default: "0" },
      jobs: { type: "string", default: String(JOBS) },
      zones: { type: "string" },
      company: { type: "string" },
      "in-process": { type: "boolean", default: false },
      "fail-fast": { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return undefined;
  const { seed, seeds, minutes } = values;
  const asked = [seed, seeds, minutes].filter((value) => value !== undefined);
  if (asked.length !== 1) throw new ConfigError([USAGE]);
  const [from = "", to = from] = (seeds ?? seed ?? "").split("..");
  const isRange = minutes === undefined;
  const first = isRange
    ? wholeNumber("seed", from)
    : Math.floor(Math.random() * SEED_MAX);
  const last = isRange ? wholeNumber("seed", to) : undefined;
  const least = wholeNumber("--least", values.least);
  const jobs = wholeNumber("--jobs", values.jobs);
  const zones = ZONE_KINDS.find((kind) => kind === values.zones);
  const company = COMPANIES[values.company ?? ""];
  const wrong = [
    zones !== values.zones && `--zones is S3 or directory, not ${values.zones}`,
    values.company !== undefined && company === undefined &&
    `--company is one of ${
      Object.keys(COMPANIES).join(", ")
    }, not ${values.company}`,
    last !== undefined && last < first &&
    `--seeds ${seeds} ends before it begins`,
    seed !== undefined && first !== last && "--seed takes one seed",
    jobs === 0 && "--jobs must be at least 1",
    !isRange && !(Number(minutes) > 0) &&
    `--minutes must be a number above 0, not "${minutes}"`,
  ].filter((line) => line !== false);
  if (wrong.length > 0) throw new ConfigError([...wrong, USAGE]);
  return {
    first,
    last,
    minutes: Number(minutes ?? 0),
    least,
    jobs,
    zones,
    company,
    inProcess: values["in-process"],
    failFast: values["fail-fast"],
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new ConfigError([
    `${name} must be a whole number up to ${Number.MAX_SAFE_INTEGER}, not "${text}"`,
    USAGE,
  ]);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
