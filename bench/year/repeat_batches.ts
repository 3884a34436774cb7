import { type BatchLog, dataKey } from "../../lib/batches/batch_log.ts";
import type {
  DataFile,
  IngestionManifest,
} from "../../lib/batches/manifest.ts";
import { createRunId } from "../../lib/stage.ts";

/**
 * Commits copies of the ingestion zone's batches of a range, with new numbers,
 * runs and times. If the range ends at the newest, the source has nothing that
 * these lack: the last batch to write a row is the last to write it again.
 */
export async function repeatBatches(
  batches: BatchLog<IngestionManifest>,
  range: { from: number; to: number; newest: number },
): Promise<void> {
  let batch = range.newest;
  let { snapshotTime } = await batches.read(batch);
  for await (const manifest of batches.range(range)) {
    batch++;
    const runId = createRunId(new Date());
    snapshotTime = later(snapshotTime);
    const committedAt = new Date().toISOString();
    const tables: IngestionManifest["tables"] = {};
    for (const [name, table] of Object.entries(manifest.tables)) {
      const copyOf = (file: DataFile) =>
        copy(batches, { file, name, batch, runId });
      tables[name] = {
        ...table,
        rows: await Promise.all(table.rows.map(copyOf)),
        deletes: await Promise.all(table.deletes.map(copyOf)),
      };
    }
    const copied = { ...manifest, batch, runId, snapshotTime, committedAt };
    await batches.commit({ ...copied, tables });
  }
}

/** Now, or a millisecond later than a time after it. */
function later(time: string): string {
  return new Date(Math.max(Date.now(), Date.parse(time) + 1)).toISOString();
}

/** Writes a file again for another batch. */
async function copy(
  { zone }: BatchLog<IngestionManifest>,
  options: { file: DataFile; name: string; batch: number; runId: string },
): Promise<DataFile> {
  const { file, name, batch, runId } = options;
  // After the time and the number of the run, and before them the folder.
  const part = file.key.split("-").slice(2).join("-");
  const key = dataKey(name, { batch, runId, part });
  const stored = await zone.read(file.key);
  if (stored === undefined) throw new Error(`${file.key} is missing`);
  await zone.create(key, stored.bytes);
  return { ...file, key };
}
