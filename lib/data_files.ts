import { digest } from "./checksum.ts";
import { StageError } from "./errors.ts";
import type { DataFile } from "./manifest.ts";
import { quoteName, quoteNames, quoteText } from "./postgres.ts";
import type { Zone } from "./zone.ts";

/**
 * SQL that reads Parquet files of the zone, as one relation. The folders that
 * they lie in are names only: no columns are made of them.
 */
export function readParquetSql(
  zone: Zone,
  files: readonly { key: string }[],
): string {
  const paths = files.map((file) => quoteText(zone.locate(file.key)));
  return `read_parquet([${paths.join(", ")}], hive_partitioning = false)`;
}

/** The same for files that may differ in their columns: they have them all. */
export function readAllSql(
  zone: Zone,
  files: readonly { key: string }[],
): string {
  return readParquetSql(zone, files)
    .replace(/\)$/, ", union_by_name = true)");
}

/**
 * The same with these columns: what older files lack of them is null, what
 * they have beyond is left out.
 */
export function readColumnsSql(
  zone: Zone,
  files: readonly { key: string }[],
  columns: readonly { name: string; type: string }[],
): string {
  const nulls = columns.map(({ name, type }) =>
    `cast(null as ${type}) as ${quoteName(name)}`
  );
  return `(select ${quoteNames(columns.map((column) => column.name))} from (
    select * from ${readAllSql(zone, files)} union all by name select ${
    nulls.join(", ")
  }
    where false))`;
}

/**
 * Checks files against their checksums; throws a `StageError` for the first
 * that is missing or otherwise.
 */
export async function checkFiles(
  zone: Zone,
  files: readonly DataFile[],
): Promise<void> {
  for (const file of files) {
    const path = zone.locate(file.key);
    const damaged = (found: string) =>
      new StageError(`Cannot read ${path}: ${found}`, {
        subject: path,
        hint: "Restore the file from the bucket's versions or a copy",
      });
    if (await zone.head(file.key) === undefined) {
      throw damaged("the manifest lists it, and it is missing");
    }
    const { sha256, bytes } = await digest(await zone.stream(file.key));
    if (bytes !== file.bytes) {
      throw damaged(`it has ${bytes} bytes, the manifest says ${file.bytes}`);
    }
    if (sha256 !== file.sha256) {
      throw damaged("its content does not match its checksum");
    }
  }
}
