import { messageOf } from "../../lib/errors.ts";
import { RandomWriters } from "../harness/companies/random_writers.ts";
import {
  openPlatform,
  type Platform,
  type ZoneKind,
} from "../harness/platform.ts";
import { AttachedLake } from "./attached_lake.ts";
import { History } from "./history.ts";
import { Migrator } from "./migrator.ts";
import type { Outcome } from "./outcome.ts";
import { Readers } from "./readers.ts";
import { companyOf, hasTime } from "./seed_traits.ts";
import type { HistoryOptions, SimulatedCompany } from "./simulated_company.ts";
import { SourceOwner } from "./source_owner.ts";
import { sourceTemplate, writersUrl } from "./source_template.ts";
import { stream } from "./stream.ts";
import { Truth } from "./truth.ts";

/** Every so many seeds keep their zones in S3. */
const S3_EVERY = 8;

/**
 * Runs one whole history that a seed decides. Throws what does not hold, with
 * the history's story.
 */
export async function simulate(
  seed: number,
  options: HistoryOptions = {},
): Promise<Outcome> {
  const {
    zones = seed % S3_EVERY === 0 ? "S3" : "directory",
    company = companyOf(seed),
  } = options;
  await using platform = await openSimulated(seed, { zones, company });
  const url = writersUrl(platform.source.url, company);
  await using writers = await RandomWriters.open(
    url,
    stream(seed, "writes"),
    company.written,
  );
  const { story } = writers;
  await using migrator = await Migrator.open(url, {
    tables: company.migrated,
    story,
  });
  await using owner = await SourceOwner.open(url, { company, story });
  const truth = new Truth(platform, company);
  await using readers = await Readers.open(platform, truth);
  await using attached = new AttachedLake(platform, truth);
  const history = new History(seed, {
    platform,
    writers,
    migrator,
    owner,
    readers,
    attached,
  });
  try {
    await history.run();
    return { seed, zones, ...history.tally, story: history.story };
  } catch (error) {
    throw new Error(
      `seed ${seed}: ${messageOf(error)}\n${history.story.join("\n")}`,
      { cause: error },
    );
  }
}

/** A platform with the settings of a seed. */
async function openSimulated(
  seed: number,
  { zones, company }: { zones: ZoneKind; company: SimulatedCompany },
): Promise<Platform> {
  const platform = await openPlatform({
    zones,
    sql: company.sql,
    sourceTemplate: await sourceTemplate(company),
    threads: 1 + seed % 2,
    warehouse: "empty",
  });
  platform.set({
    deleteShareMax: 1,
    // Clocks that stay wrong would stop extract for good.
    ...(hasTime(seed) ? {} : { sourceClockSkewMinutesMax: 0 }),
  });
  // Batches are few here: files of several levels, and merges left waiting.
  platform.context.compaction = {
    fanOut: 2 + seed % 3,
    mergesMax: 1 + seed % 8,
    laterRowsMin: 1 + seed % 50,
    stateRowsMin: seed % 5,
  };
  platform.context.grouping = {
    batchesMin: 2 + seed % 3,
    batchesMax: 2 + seed % 5,
  };
  return platform;
}
