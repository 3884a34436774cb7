import type { BatchLog } from "../lib/batch_log.ts";
import type { DataFile, ProcessedManifest } from "../lib/manifest.ts";

/** A file of the lake, with the model and the batch that it belongs to. */
export interface LakeFile extends DataFile {
  model: string;
  batch: number;
  snapshotTime: string;
}

/** The files of a range of batches, in order; each costs a request. */
export async function filesOfBatches(
  log: BatchLog<ProcessedManifest>,
  range: { from: number; to: number },
): Promise<LakeFile[]> {
  const files: LakeFile[] = [];
  for await (const manifest of log.range(range)) {
    files.push(...filesOfManifest(manifest));
  }
  return files;
}

/** The files of one batch. */
export function filesOfManifest(manifest: ProcessedManifest): LakeFile[] {
  const { batch, snapshotTime } = manifest;
  return Object.entries(manifest.models).flatMap(([model, { files }]) =>
    files.map((file) => ({ ...file, model, batch, snapshotTime }))
  );
}
