import type { LiveFile } from "../../lib/batches/manifest.ts";
import { readLikeSql } from "../../lib/duckdb/data_files.ts";
import {
  HOLDS_UNTIL_COLUMNS,
  STAMP_COLUMNS,
} from "../../lib/duckdb/version_columns.ts";
import { quoteNames } from "../../lib/postgres/postgres.ts";
import type { Model } from "../../lib/project/model.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { type AsOf, isLaterSql, isSameKey } from "../files/holds_until.ts";
import { emptyModelSql, type ModelColumn } from "../models/model_changes.ts";

/** The manifest's fields for a file whose versions are read. */
export type VersionsFile = Pick<
  LiveFile,
  "key" | "from" | "to" | "columns" | "holdsUntilBy"
>;

interface Options {
  key: Model["key"];
  columns: readonly ModelColumn[];
  zone: Zone;
  files: readonly VersionsFile[];
  asOf: AsOf;
}

/**
 * SQL for the versions of a model that hold, with their stamps, as a relation
 * `version` to follow `from`. A file itself excludes what ended inside it; the
 * rest is compared with the keys of the files after the first. That one usually
 * has most of the rows: only the keys of the others are sorted or hashed.
 */
export function heldVersionsSql(options: Options): string {
  const { key, columns, files } = options;
  if (files.length === 0) {
    return `(${emptyModelSql([...columns, ...STAMP_COLUMNS])}) as version`;
  }
  const wanted = quoteNames(
    [...columns, ...STAMP_COLUMNS].map(({ name }) => name),
  );
  const held = versionsSql(options, {
    files,
    names: wanted,
    ended: ({ holds }) => holds,
    single: "not is_delete",
  });
  const later = followers(files, key);
  if (later.length === 0) return `(${held}) as version`;
  const closing = versionsSql(options, {
    files: later,
    names: quoteNames([...key, "batch"]),
    ended: ({ holds }) => `(${holds} or is_delete)`,
    single: "true",
  });
  return `(${held}) as version anti join (${closing}) as later
    on ${isLaterSql(key)}`;
}

/**
 * SQL for the versions of files that say until when they hold, and of others.
 */
function versionsSql(
  { key, columns, zone, asOf }: Options,
  options: {
    files: readonly VersionsFile[];
    names: string;
    ended: (asOf: AsOf) => string;
    single: string;
  },
): string {
  const { files, names, ended, single } = options;
  const sets = Map.groupBy(
    files,
    ({ holdsUntilBy }) => isSameKey(holdsUntilBy, key),
  );
  const stamped = [...columns, ...STAMP_COLUMNS];
  return [...sets].map(([saysUntil, alike]) =>
    `select ${names} from ${
      readLikeSql(
        zone,
        alike,
        stamped,
        saysUntil ? { beside: HOLDS_UNTIL_COLUMNS } : {},
      )
    } where ${asOf.made} and ${saysUntil ? ended(asOf) : single}`
  ).join(" union all ");
}

/**
 * The files that may hold a later version of a key than another file: all but
 * the earliest, if that itself excludes what ended inside it.
 */
function followers(
  files: readonly VersionsFile[],
  key: readonly string[],
): readonly VersionsFile[] {
  const [first, ...later] = files.toSorted((one, other) =>
    one.from - other.from
  );
  if (first === undefined) return [];
  const isFirstKnown = first.from === first.to ||
    isSameKey(first.holdsUntilBy, key);
  return isFirstKnown && later.every(({ from }) => from > first.to)
    ? later
    : files;
}
