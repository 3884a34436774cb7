import { join } from "node:path";
import { readGeneration } from "../../lib/batches/generation.ts";
import { LAKE_FILE } from "../../lib/batches/lake_note.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { duckDbCause } from "../../lib/duckdb/duckdb_error.ts";
import { messageOf } from "../../lib/errors.ts";
import {
  attachLake,
  buildLake,
  type KnownLake,
  type PublishOptions,
  realPath,
  viewsHash,
} from "./build_lake.ts";
import { unsealed } from "./sealed_file.ts";

const ATTEMPTS_MAX = 5;
/**
 * Publishes `lake.duckdb`: for analysts, a DuckDB database whose views and
 * macros read exactly the committed files. It is derived from the manifests,
 * and replaced as a whole, only by one of a higher batch; it is rebuilt if it
 * is unreadable, belongs to another generation, or its zone was moved or
 * copied. If that goes back and forth, two runs see one zone by two paths: then
 * the lake is left to the other run, and the result is false. A failed write is
 * only reported and noted, since nothing depends on the lake.
 */
export async function publishLake(
  duckdb: DuckDb,
  options: PublishOptions,
): Promise<boolean> {
  const seen: Seen = {};
  try {
    return await publish(duckdb, { ...options, seen });
  } catch (error) {
    options.log.error(
      "lake.duckdb can't be replaced, and stays unchanged until a run can replace it: {reason}",
      { reason: messageOf(error) },
    );
    await options.noteFailure?.(error, seen.etag);
    return true;
  }
}

/** The published file that was seen last; null if there was none. */
interface Seen {
  etag?: string | null;
}

async function publish(
  duckdb: DuckDb,
  options: PublishOptions & { seen: Seen },
): Promise<boolean> {
  const { zone, batches, newest, log, seen } = options;
  // The files of a group also have its later batches, which are still to come.
  if (newest.group !== undefined && newest.group.to > newest.batch) return true;
  const path = join(duckdb.tempDirectory, LAKE_FILE);
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const stored = await zone.read(LAKE_FILE);
    seen.etag = stored?.etag ?? null;
    const known = stored === undefined
      ? undefined
      : await readKnownLake(duckdb, { bytes: stored.bytes, path, options });
    if (known !== undefined && known.batch >= newest.batch) return true;
    if (known?.isOthers === true) return false;
    const bytes = await buildLake(duckdb, {
      ...options,
      known: known ?? { batch: 0, seenAt: [] },
      path,
    });
    // A run that began before the zone was rebuilt has nothing left to publish.
    const { id } = await readGeneration(zone);
    if (id !== await batches.generation()) return true;
    const published = stored === undefined
      ? await zone.create(LAKE_FILE, bytes)
      : await zone.put(LAKE_FILE, bytes, { ifMatch: stored.etag });
    if (published) return true;
  }
  log.warn(
    "lake.duckdb was not replaced: other runs came first {attempts} times",
    { attempts: ATTEMPTS_MAX },
  );
  return true;
}

/**
 * Reads the published lake, and leaves a copy attached if that is kept;
 * undefined if it can't be read.
 */
async function readKnownLake(
  duckdb: DuckDb,
  found: { bytes: Uint8Array; path: string; options: PublishOptions },
): Promise<KnownLake | undefined> {
  const { bytes, path, options } = found;
  const { newest, log, zone, batches } = options;
  const published = unsealed(bytes);
  await Deno.writeFile(path, published?.content ?? bytes);
  let isKept = false;
  try {
    await attachLake(duckdb, path);
    const [about] = await duckdb.rows("from target.lake.about");
    const sameLake = about?.lake_id === newest.lakeId &&
      (about.generation ?? "") === await batches.generation();
    if (!sameLake) return undefined;
    const there = about.zone ?? "";
    const isHere = await realPath(there) === await realPath(zone.url);
    // Its views may not be those that this run would make, but a newer lake was
    // made by a run that knows more.
    const batch = Number(about.batch);
    const alike = isHere && published !== undefined &&
      about.views === await viewsHash(options);
    if (alike) {
      isKept = batch < newest.batch;
      return { batch, seenAt: [], isKept };
    }
    const seenAt = await readSeenAt(duckdb);
    if (!isHere && seenAt.includes(zone.url)) {
      log.warn(
        "lake.duckdb was published for {there}, where another run sees this zone, and stays unchanged; here it is {here}. Let all runs name the zone the same way, or remove lake.duckdb, which the next run rebuilds",
        { there, here: zone.url },
      );
      return { batch: 0, seenAt, isOthers: true };
    }
    return batch > newest.batch
      ? { batch, seenAt }
      : { batch: 0, seenAt: isHere ? seenAt : [...seenAt, there] };
  } catch (error) {
    // A lack of space to read it is no reason to rebuild it.
    if (duckDbCause(error) !== undefined) throw error;
    log.warn("lake.duckdb can't be read and is rebuilt: {reason}", {
      reason: messageOf(error),
    });
    return undefined;
  } finally {
    if (!isKept) {
      await duckdb.run("detach database if exists target");
      await Deno.remove(path).catch(() => {});
    }
  }
}

/** The zone's other paths; a lake of an older version lists none. */
async function readSeenAt(duckdb: DuckDb): Promise<string[]> {
  const found = await duckdb.rows(
    `select 1 from duckdb_tables()
    where database_name = 'target' and table_name = 'seen_at'`,
  );
  if (found.length === 0) return [];
  const rows = await duckdb.rows("from target.lake.seen_at");
  return rows.map(({ zone }) => zone ?? "");
}
