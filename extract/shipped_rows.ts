import type pg from "pg";
import { CSV_ROW_BYTES_MAX, FAULT_COLUMN } from "../lib/csv/csv_row.ts";
import { StageError } from "../lib/errors.ts";
import { queryRow, sqlState } from "../lib/postgres/postgres.ts";
import { quoteName, quoteText } from "../lib/sql/quote.ts";
import type { ContractColumn } from "../lib/project/contract.ts";
import type { LiveTable } from "./live_table.ts";

/** How many characters of a text that isn't UTF-8 the reason shows. */
const SHOWN_CHARACTERS = 40;
/** The most bytes that a column other than text takes in CSV. */
const OTHER_BYTES_MAX = 64;
/** Bytes for a text's quotes and the comma after it, ... */
const QUOTED_BYTES = 3;
/** ... and the most for the reason that it isn't UTF-8. */
const REASON_BYTES_MAX = 256;
/** The most bytes that a byte of a text takes when escaped. */
const ESCAPED_BYTES_MAX = 4;
/** U+FFFD, the replacement character: hardly any text has it before escapes. */
const REPLACED = "\ufffd";
/**
 * A value of more bytes is too long as a text, which PostgreSQL may fail to
 * make: it allocates 1 GB at most (MaxAllocSize in its utils/memutils.h).
 */
const HUGE_BYTES = 256 * 1024 * 1024;
/** A name that hardly any column has. */
const IS_LONG = quoteName("is long");
/** `character_not_in_repertoire` and `untranslatable_character`. */
const ENCODING_STATES = ["22021", "22P05"];
const SETTING_FOUND = "totesys.untranslatable";

const NO_ASCII = String.raw`[\x80-\xff]`;
/**
 * Well-formed UTF-8, each byte a character as in a SQL_ASCII database:
 * https://www.unicode.org/versions/Unicode16.0.0/core-spec/chapter-3/
 * (table 3-7).
 */
const UTF8 = String.raw`^(?:[\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]` +
  String.raw`|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}` +
  String.raw`|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}` +
  String.raw`|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*$`;

/** The columns of the files in which a table's rows are shipped. */
export function shippedColumns(
  table: LiveTable,
  options: { longRows: boolean },
): string[] {
  const names = table.contract.columns.map((column) => column.name);
  return isCareful(table, options) ? [...names, FAULT_COLUMN] : names;
}

/**
 * A row up to this many bytes as CSV is not too long, however its length is
 * computed; a longer one may be.
 */
export function safeRowBytes({ contract }: LiveTable): number {
  const unsure = (contract.columns.length + 1) *
    (QUOTED_BYTES + REASON_BYTES_MAX);
  return CSV_ROW_BYTES_MAX - unsure;
}

/**
 * Selects rows as they are shipped. A row that a later stage could not read
 * comes with the reason: its text is not UTF-8, and is shipped with escapes, or
 * it is too long, and is shipped shortened.
 */
export function shippedSql(
  table: LiveTable,
  options: { source: string; longRows: boolean },
): string {
  const { columns } = table.contract;
  const whole = columns.map(valueSql);
  if (!isCareful(table, options)) {
    return `select ${whole.join(", ")} from ${options.source}`;
  }
  const values = columns.map((column, index) => {
    const huge = options.longRows ? hugeSql(table, column) : undefined;
    const value = huge === undefined
      ? whole[index] ?? ""
      : `case when ${huge} then '' else ${whole[index]} end`;
    // Texts of different collations can't be joined into a reason, nor those of
    // a nondeterministic one be searched.
    return isText(column) ? `(${value}) collate "C"` : value;
  });
  const texts = columns.filter(isText);
  const inner = columns.map(({ name }, index) =>
    `${values[index]} as ${quoteName(name)}`
  );
  const outer = columns.map((column) => {
    const name = quoteName(column.name);
    const isKey = table.contract.key.includes(column.name);
    const value = isText(column) ? readableSql(table, name) : name;
    return isText(column) && !isKey
      ? `case when ${IS_LONG} then ${shownSql(table, name)}
        else ${value} end as ${name}`
      : `${value} as ${name}`;
  });
  const reasons = [
    `case when ${IS_LONG} then 'the row is longer than ${
      CSV_ROW_BYTES_MAX / 1024 / 1024
    } MiB as CSV' end`,
    ...texts.map(({ name }) =>
      `case when ${faultSql(table, quoteName(name))}
        then ${quoteText(`${name} is no UTF-8: "`)}
          || ${shownSql(table, quoteName(name))} || '"'
      end`
    ),
  ];
  // An array, since a function has 100 arguments at most.
  return `select ${outer.join(", ")},
      nullif(pg_catalog.concat_ws('; ', variadic array[${
    reasons.join(", ")
  }]), '') as ${quoteName(FAULT_COLUMN)}
    from (
      select ${inner.join(", ")},
        ${options.longRows ? isLongSql(table, values) : "false"} as ${IS_LONG}
      from ${options.source} offset 0
    ) as source`;
}

/**
 * SQL for a text as it is shipped. One that isn't UTF-8 has escapes, and a mark
 * so that it can't equal the key of a row whose text has those backslashes.
 */
export function readableSql(table: LiveTable, value: string): string {
  return mayBeNoUtf8(table)
    ? `case when ${faultSql(table, value)} then ${quoteText(REPLACED)} || ${
      escapedSql(value)
    }
      else ${value} end`
    : value;
}

/**
 * Runs work that reads rows. If a text has a character that UTF-8 lacks, the
 * error names the row; Postgres names only the character.
 */
export async function nameUntranslatableRow<Result>(
  client: pg.Client,
  options: { table: LiveTable; source: string },
  work: () => Promise<Result>,
): Promise<Result> {
  const { table, source } = options;
  if (["UTF8", "SQL_ASCII"].includes(table.encoding)) return await work();
  await client.query("savepoint untranslatable");
  try {
    const result = await work();
    await client.query("release savepoint untranslatable");
    return result;
  } catch (error) {
    if (!ENCODING_STATES.includes(sqlState(error) ?? "")) throw error;
    await client.query("rollback to savepoint untranslatable");
    await client.query(findUntranslatableSql(table, source));
    const { name } = table.contract;
    const { place } = await queryRow(
      client,
      "select current_setting($1, true) as place",
      [SETTING_FOUND],
    );
    if (!place) throw error;
    throw new StageError(
      `Cannot read "${name}": ${place}: ${(error as Error).message}`,
      {
        subject: name,
        hint:
          "Repair that text in the source: the database's encoding has characters that UTF-8 lacks",
        cause: error,
      },
    );
  }
}

function isCareful(table: LiveTable, options: { longRows: boolean }): boolean {
  return options.longRows || mayBeNoUtf8(table);
}

function mayBeNoUtf8(table: LiveTable): boolean {
  return table.encoding === "SQL_ASCII";
}

function valueSql({ name, carriedFrom }: ContractColumn): string {
  return carriedFrom === undefined
    ? quoteName(name)
    : `${quoteName(name)}::text`;
}

/**
 * SQL for whether PostgreSQL may fail to make a text of a value, by its length
 * in the table; undefined if it is a text.
 */
function hugeSql(
  { baseTypes }: LiveTable,
  { name, carriedFrom }: ContractColumn,
): string | undefined {
  if (carriedFrom === undefined) return undefined;
  return baseTypes.get(name) === "bytea"
    ? `pg_catalog.octet_length(${quoteName(name)}) > ${CSV_ROW_BYTES_MAX}`
    : `pg_catalog.pg_column_size(${quoteName(name)}) > ${HUGE_BYTES}`;
}

function isText(column: ContractColumn): boolean {
  return column.type.name === "text";
}

function faultSql(table: LiveTable, value: string): string {
  return mayBeNoUtf8(table)
    ? `(pg_catalog.octet_length(${value}) < ${HUGE_BYTES}
      and ${value} collate "C" ~ ${quoteText(NO_ASCII)}
      and ${value} collate "C" !~ ${quoteText(UTF8)})`
    : "false";
}

/**
 * SQL for the first characters of a text. In SQL_ASCII, where `left` may cut one
 * in two, as escapes.
 */
function shownSql(table: LiveTable, value: string): string {
  const first = `pg_catalog.left(${value}, ${SHOWN_CHARACTERS})`;
  return mayBeNoUtf8(table)
    ? `pg_catalog.left(${escapedSql(first)}, ${SHOWN_CHARACTERS})`
    : first;
}

function escapedSql(value: string): string {
  return `encode(pg_catalog.convert_to(${value}, 'SQL_ASCII'), 'escape')`;
}

function isLongSql(table: LiveTable, values: readonly string[]): string {
  const huge = table.contract.columns.flatMap((column) =>
    hugeSql(table, column) ?? []
  );
  return [...huge, longSql(table, values)].join(" or ");
}

/**
 * SQL for whether a row may be too long as CSV, where quotes are doubled and a
 * text that isn't UTF-8 has escapes. Postgres knows the length of a text
 * without reading it: for most rows that is enough.
 */
function longSql(table: LiveTable, values: readonly string[]): string {
  const growth = mayBeNoUtf8(table) ? ESCAPED_BYTES_MAX : 2;
  const atMost = sizeSql(
    table,
    (index) => `${growth} * pg_catalog.octet_length(${values[index]})::bigint`,
  );
  const size = sizeSql(table, (index) => {
    const value = values[index] ?? "";
    const readable = readableSql(table, value);
    const length = `pg_catalog.octet_length(${value})::bigint`;
    return `case when ${length} > ${CSV_ROW_BYTES_MAX} then ${length}
      else pg_catalog.octet_length(pg_catalog.replace(${readable}, '"', '""'))::bigint end`;
  });
  return `case when ${atMost} > ${CSV_ROW_BYTES_MAX}
    then ${size} > ${CSV_ROW_BYTES_MAX} else false end`;
}

/** SQL for the most bytes that a row takes as CSV, given those of its texts. */
function sizeSql(
  table: LiveTable,
  textSql: (index: number) => string,
): string {
  const { columns } = table.contract;
  const besides = QUOTED_BYTES + (mayBeNoUtf8(table) ? REASON_BYTES_MAX : 0);
  const bytes = columns.map((column, index) =>
    isText(column)
      ? `coalesce(${textSql(index)}, 0) + ${besides}`
      : String(OTHER_BYTES_MAX)
  );
  // The column for the reason is there even when it is empty.
  return [...bytes, String(QUOTED_BYTES)].join(" + ");
}

/** Notes the first row and column that can't be converted to UTF-8. */
function findUntranslatableSql(table: LiveTable, source: string): string {
  const { columns, key } = table.contract;
  const texts = columns.filter(isText).map(({ name }) => name);
  const list = (names: readonly string[]) =>
    names.map((name) => `${quoteName(name)}::text`).join(", ");
  return `do $block$
    declare
      found record;
      names text[] := array[${texts.map(quoteText).join(", ")}]::text[];
    begin
      for found in select array[${list(texts)}]::text[] as texts,
        pg_catalog.jsonb_build_array(${list(key)})::text as key from ${source}
      loop
        for place in 1 .. pg_catalog.cardinality(names) loop
          begin
            perform pg_catalog.convert_to(found.texts[place], 'UTF8');
          exception when others then
            perform set_config('${SETTING_FOUND}', pg_catalog.format(
              'column "%s" of the row %s', names[place],
              encode(pg_catalog.convert_to(found.key, getdatabaseencoding()), 'escape')
            ), true);
            return;
          end;
        end loop;
      end loop;
    end $block$`;
}
