import process from "node:process";
import { openZone, type S3Settings } from "../../lib/zone/zone.ts";
import { ageFiles } from "./age_files.ts";
import { askDashboard } from "./ask_dashboard.ts";
import { type CountedStore, usedSince } from "./counted_store.ts";
import { runProcess } from "./measured_process.ts";
import type { Measures } from "./measures.ts";
import type { LakeRead } from "./read_lake.ts";
import type { YearOfBatches } from "./year_of_batches.ts";

/** With what, and how often, commands are measured. */
export interface CheckpointOptions {
  /** The environment of the measured processes. */
  env: Readonly<Record<string, string>>;
  year: YearOfBatches;
  measures: Measures;
  repeats: number;
  /** Where requests are counted; undefined if in the processes. */
  store: CountedStore | undefined;
  s3: S3Settings | undefined;
}

/** Batches in a round, of which one merges files. */
const ROUNDS = 10;
const STAGES = ["extract", "transform", "load"] as const;

/** Grows the lake to this number of batches, then measures each command. */
export async function measureAt(
  batches: number,
  options: CheckpointOptions,
): Promise<void> {
  const { env, year, measures, repeats, store } = options;
  const run = (...command: [string, string[], Record<string, string>?]) =>
    measure(batches, options, ...command);
  await grow(batches - ROUNDS - repeats, batches, options);
  for (let round = 0; round < ROUNDS; round++) {
    await year.change();
    for (const stage of STAGES) await run(stage, [`${stage}/main.ts`]);
    year.count();
  }
  for (let repeat = 0; repeat < repeats; repeat++) {
    await run("verify", ["verify/main.ts"]);
    year.count();
  }
  await measureStores(batches, options);
  for (let repeat = 0; repeat < repeats; repeat++) {
    await run("status", ["operate/status.ts"]);
    // Under a versioned bucket, versitygw takes a delete marker for a file.
    if (store === undefined) await run("doctor", ["operate/doctor.ts"]);
    await run("sweep --dry-run", ["sweep/main.ts", "--dry-run"]);
    const half = String(Math.floor(batches / 2));
    const read = await run("all of the lake's below", [
      "bench/year/read_lake.ts",
      half,
    ]);
    const reads: LakeRead[] = JSON.parse(read);
    for (const { what, ms, ...files } of reads) {
      measures.add(what, batches, { seconds: ms / 1000, ...files });
    }
    for (const { what, ...sample } of await askDashboard(env, batches)) {
      measures.add(what, batches, sample);
    }
  }
  if (store === undefined) {
    await run("sweep", ["sweep/main.ts"]);
    // Into an empty place, as `./totesys rebuild processed` does.
    const rebuilt = `${env.PROCESSED_URL}-again`;
    await run("transform of the whole log", ["transform/main.ts"], {
      PROCESSED_URL: rebuilt,
    });
    await Deno.remove(rebuilt, { recursive: true });
    await measureStores(batches, options, "swept: ");
  }
}

/** Runs a command in a process, and records what it takes. */
async function measure(
  batches: number,
  { env, measures, store }: CheckpointOptions,
  ...[what, args, others = {}]: [string, string[], Record<string, string>?]
): Promise<string> {
  const before = store?.counted();
  const { calls, bytes, names, ...taken } = await runProcess(args, {
    env: { ...env, ...others },
  });
  measures.add(
    what,
    batches,
    store === undefined || before === undefined
      ? { ...taken, calls, names, bytes }
      : { ...taken, ...usedSince(before, store.counted()) },
  );
  const { seconds, cpuSeconds, peakMb, output } = taken;
  console.error(
    `${batches} batches, ${what}: ${seconds.toFixed(1)} s, ${
      cpuSeconds.toFixed(1)
    } s of CPU, ${peakMb.toFixed(0)} MB`,
  );
  return output;
}

/** Makes batches in this process, and records what a hundred of them take. */
async function grow(
  to: number,
  batches: number,
  { year, measures }: CheckpointOptions,
): Promise<void> {
  const hundreds = (to - year.batches) / 100;
  const [began, before] = [performance.now(), process.cpuUsage()];
  await year.growTo(to);
  const { user, system } = process.cpuUsage(before);
  measures.add("a hundred of the other batches", batches, {
    seconds: (performance.now() - began) / 1000 / hundreds,
    cpuSeconds: (user + system) / 1e6 / hundreds,
    peakMb: Deno.memoryUsage().rss / 1e6,
  });
}

/** Counts what is stored; in a directory, first ages the files by a year. */
async function measureStores(
  batches: number,
  { env, measures, s3 }: CheckpointOptions,
  prefix = "",
): Promise<void> {
  for (const name of ["ingestion", "processed"]) {
    const zone = openZone(env[`${name.toUpperCase()}_URL`] ?? "", { s3 });
    try {
      const isDirectory = !zone.url.startsWith("s3://");
      if (isDirectory && prefix === "") {
        await ageFiles(zone.url, { newest: batches, now: new Date() });
      }
      const began = performance.now();
      let [files, bytes] = [0, 0];
      for await (const file of zone.list("")) {
        files++;
        bytes += file.bytes;
      }
      const seconds = (performance.now() - began) / 1000;
      measures.add(`${prefix}objects in the ${name} zone`, batches, {
        seconds,
        bytes,
        names: files,
      });
    } finally {
      zone.close();
    }
  }
}
