import { emptyModelSql } from "../../lib/models/empty_relation.ts";
import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { KeyRange, LiveFile } from "../../lib/batches/manifest.ts";
import { columnsHash, readLikeSql } from "../../lib/duckdb/data_files.ts";
import {
  HOLDS_UNTIL_COLUMNS,
  STAMP_COLUMNS,
} from "../../lib/duckdb/version_columns.ts";
import { quoteName, quoteNames } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { type AsOf, isSameKey } from "../files/holds_until_sql.ts";
import { joinedRange } from "../files/key_range.ts";

/** The manifest's fields for a file whose versions are read. */
export type VersionsFile = Pick<
  LiveFile,
  "key" | "from" | "to" | "columns" | "holdsUntilBy" | "keyRange"
>;

interface Options {
  key: Model["key"];
  columns: readonly ModelColumn[];
  zone: Zone;
  files: readonly VersionsFile[];
  asOf: AsOf;
}

/** The batch after which a version is compared with others. */
const SINCE = '" since"';

/**
 * SQL for the versions of a model that hold, with their stamps, as a relation
 * `version` to follow `from`. A file itself excludes what ended inside it; the
 * rest is compared with the keys of the files after the first. That one usually
 * has most of the rows: only the keys of the others are sorted or hashed, its
 * rows' batches need not be read, since all others are later, nor its keys be
 * looked up that are less or greater than all of the others'.
 */
export function versionsAsOfSql(options: Options): string {
  const { key, columns, files } = options;
  if (files.length === 0) {
    return `(${emptyModelSql([...columns, ...STAMP_COLUMNS])}) as version`;
  }
  const wanted = quoteNames(
    [...columns, ...STAMP_COLUMNS].map(({ name }) => name),
  );
  const later = followers(files, key);
  const [first] = files.filter((file) => !later.includes(file));
  const held = (of: readonly VersionsFile[], since: string) =>
    versionsSql(options, {
      files: of,
      names: `${wanted}, ${since} as ${SINCE}`,
      ended: ({ holds }) => holds,
      single: "not is_delete",
    });
  const all = [
    ...first === undefined ? [] : [held([first], String(first.to))],
    ...later.length === 0 ? [] : [held(later, "batch")],
  ].join(" union all ");
  if (later.length === 0) return `(select ${wanted} from (${all})) as version`;
  const closing = versionsSql(options, {
    files: later,
    names: quoteNames([...key, "batch"]),
    ended: ({ holds }) => `(${holds} or is_delete)`,
    single: "true",
  });
  return `(select ${wanted} from (${all}) as version
    anti join (${closing}) as later on ${
    isLaterSql(options, later)
  }) as version`;
}

/** SQL for the condition that a row is a later version of the same key. */
function isLaterSql(
  options: Options,
  later: readonly VersionsFile[],
): string {
  const range = rangeOf(options, later);
  const same = options.key.map(quoteName).map((name, index) =>
    index === 0 && range !== undefined
      // Nothing is looked up for a null.
      ? `case when version.${name} between ${range.least} and ${range.greatest}
        then version.${name} end = later.${name}`
      : `version.${name} is not distinct from later.${name}`
  );
  return [...same, `later.batch > version.${SINCE}`].join(" and ");
}

/** The range of the keys in these files, if all files have the same types. */
function rangeOf(
  { key, columns, files }: Options,
  later: readonly VersionsFile[],
): KeyRange | undefined {
  const wanted = columnsHash([...columns, ...STAMP_COLUMNS]);
  return files.every((file) => file.columns === wanted)
    ? joinedRange(later, key)
    : undefined;
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
