import { StageError } from "../errors.ts";
import { sha256OfStream } from "../zone/checksum.ts";
import type { Zone } from "../zone/zone.ts";
import type { DataFile } from "./manifest.ts";
import { RESTORE_FILE } from "../zone/restore_hint.ts";

/**
 * Checks files against their checksums; throws a `StageError` for the first one
 * that is missing or changed.
 */
export async function checkFiles(
  zone: Zone,
  files: readonly DataFile[],
  options: { hint?: string } = {},
): Promise<void> {
  const { hint = RESTORE_FILE } = options;
  for (const file of files) {
    const path = zone.locate(file.key);
    const damaged = (found: string) =>
      new StageError(`Cannot read ${path}: ${found}`, {
        subject: path,
        hint,
      });
    if (await zone.head(file.key) === undefined) {
      throw damaged("the manifest lists it, and it is missing");
    }
    const found = damageOf(
      file,
      await sha256OfStream(await zone.stream(file.key)),
    );
    if (found !== undefined) throw damaged(found);
  }
}

/** How a stored file differs from its entry in a manifest, if it does. */
export function damageOf(
  listed: DataFile,
  { bytes, sha256 }: Pick<DataFile, "bytes" | "sha256">,
): string | undefined {
  if (bytes !== listed.bytes) {
    return `it has ${bytes} bytes, the manifest says ${listed.bytes}`;
  }
  return sha256 === listed.sha256
    ? undefined
    : "its content does not match its checksum";
}
