import { emptyModelSql } from "../../lib/models/empty_relation.ts";
import type { ModelColumn } from "../../lib/models/model_column.ts";
import { readLikeSql } from "../../lib/duckdb/data_files.ts";
import { STAMP_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { versionIntervalsSql } from "../../lib/duckdb/version_intervals.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import type { TableHeader } from "../../lib/project/table_header.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { AS_OF_PARAMETERS } from "../../lib/models/check_names.ts";
import {
  versionsAsOfSql,
  type VersionsFile,
} from "../tables/versions_as_of.ts";
import {
  type AsOf,
  asOfBatch,
  asOfTime,
  NOW,
} from "../files/holds_until_sql.ts";

const MOMENT = `cast(${quoteName(AS_OF_PARAMETERS.time)} as timestamptz)`;

/**
 * Snapshot times are UTC without a zone, whatever the session's zone. DuckDB
 * counts no microseconds to infinity, which is later than all of them.
 */
const MOMENT_UTC = `case when ${MOMENT} = 'infinity'::timestamptz
  then 'infinity'::timestamp else make_timestamp(epoch_us(${MOMENT})) end`;

/**
 * Statements that make a model's views for analysts: `<model>_current`,
 * `<model>_history`, and the macros `<model>_as_of_batch(number)` and
 * `<model>_as_of_time(moment)`, with the model's header as comments on the
 * views and their columns. A macro resolves names in its caller's catalogue, so
 * each has the list of files in its body. Moments are as in the warehouse: one
 * without an offset is in the session's time zone.
 *
 * DuckDB has no paths relative to the database, so the files' paths are
 * absolute, and a copy would keep reading the original's files: each of these
 * throws unless the database is where it was published.
 */
export function lakeViews(
  model: Pick<Model, "name" | "key" | "times"> & { table: TableHeader },
  options: {
    columns: readonly ModelColumn[];
    zone: Zone;
    files: readonly VersionsFile[];
    /** The database file's path, as DuckDB names it when attached. */
    place: string;
  },
): string[] {
  const { columns, zone, files, place } = options;
  const versions = files.length === 0
    ? `(${emptyModelSql([...columns, ...STAMP_COLUMNS])})`
    : readLikeSql(zone, files, [...columns, ...STAMP_COLUMNS]);
  const shown = columns.map(({ name }) =>
    model.times.includes(name)
      ? `cast(${quoteName(name)} as time) as ${quoteName(name)}`
      : quoteName(name)
  ).join(", ");
  const inPlace = isInPlaceSql(place);
  const history = `select ${shown}, valid_from, valid_to, from_batch, to_batch
    from (${versionIntervalsSql(versions, model.key)})
    where not is_delete and ${inPlace}`;
  const held = (asOf: AsOf) =>
    `select ${shown}, snapshot_time as valid_from, batch as from_batch
    from ${versionsAsOfSql({ ...options, key: model.key, asOf })}
    where ${inPlace}`;
  const batch = quoteName(AS_OF_PARAMETERS.batch);
  const name = (suffix: string) => quoteName(`${model.name}_${suffix}`);
  return [
    `create or replace view ${name("history")} as ${history}`,
    ...commentsSql(name("history"), { columns, header: model.table }),
    `create or replace view ${name("current")} as ${held(NOW)}`,
    ...commentsSql(name("current"), { columns, header: model.table }),
    `create or replace macro ${name("as_of_batch")}(${batch}) as table ${
      held(asOfBatch(batch))
    }`,
    `create or replace macro ${name("as_of_time")}(${
      quoteName(AS_OF_PARAMETERS.time)
    }) as table ${held(asOfTime(`(${MOMENT_UTC})`))}`,
  ];
}

/** Statements that comment on a view and its columns. */
function commentsSql(
  view: string,
  of: { columns: readonly ModelColumn[]; header: TableHeader },
): string[] {
  const { meaning, meanings } = of.header;
  return [
    ...(meaning === ""
      ? []
      : [`comment on view ${view} is ${quoteText(meaning)}`]),
    ...of.columns.flatMap(({ name }) => {
      const says = meanings.get(name);
      return says === undefined ? [] : [
        `comment on column ${view}.${quoteName(name)} is ${quoteText(says)}`,
      ];
    }),
  ];
}

/**
 * Whether a database with this path is attached, as far as paths show: for a
 * file or S3, DuckDB gives it in full, with links followed.
 */
function isInPlaceSql(place: string): string {
  const message =
    `This lake.duckdb was moved or copied: it reads the files of ${place}. Attach that one, or let ./totesys transform make one for the zone that it is in now.`;
  return `case
    when (
      select coalesce(bool_or(
        starts_with(path, ${quoteText(place)})
        or not (starts_with(path, '/') or starts_with(path, 's3://'))
      ), true)
      from duckdb_databases()
    ) then true
    else error(${quoteText(message)})
  end`;
}
