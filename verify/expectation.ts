import { emptyModelSql } from "../lib/models/empty_relation.ts";
import type { ModelColumn } from "../lib/models/model_column.ts";
import { FAULT_COLUMN } from "../lib/csv/csv_row.ts";
import { counted } from "../lib/counted.ts";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { keyColumnText, keyText } from "../lib/duckdb/key_text.ts";
import { StageError } from "../lib/errors.ts";
import { quoteName, quoteNames, quoteText } from "../lib/sql/quote.ts";
import {
  type ContractColumn,
  type ContractTable,
  typeSql,
} from "../lib/project/contract.ts";
import type { ModelSql, ProjectSql } from "../lib/project/project_sql.ts";
import { QUARANTINE } from "../lib/project/quarantine_model.ts";
import { reasonSql } from "../transform/tables/land_table.ts";
import { QUARANTINE_TYPES } from "../transform/tables/quarantine.ts";
import { registerModels } from "../lib/models/register_models.ts";
import { type CopiedRows, copiedRowsSql } from "./copied_rows.ts";

/** The input of the expectation. */
interface ExpectationWork {
  duckdb: DuckDb;
  sql: ProjectSql;
  source: ReadonlyMap<string, CopiedRows>;
  /** The lake's last good rows of a table, as SQL; undefined: it keeps none. */
  keptSql: (table: ContractTable) => string | undefined;
}

/** DuckDB's catalogue that holds both sides of each comparison, in a file. */
export const WORK_CATALOGUE = "verified";
const WORK_SCHEMAS = ["source", "bad", "expected"];
/** No name of the source or of a model begins with a space. */
const FAULT = '" fault"';
const FAULTY_KEY = '" faulty key"';
/** How much a reason shows of a text that can't be read. */
const SHOWN_CHARACTERS = 40;
const MOMENTS = ["date", "timestamp", "timestamptz"];

/** The relation with a model's expected rows. */
export function expectedRows(model: string): string {
  return `${WORK_CATALOGUE}.expected.${quoteName(model)}`;
}

/**
 * Makes the expected rows of every model from whole tables of the source, by
 * one run of each query of `sql/`, and returns the columns of each model. A
 * query finds every table of the contract under each of the schemas, so no list
 * says what it reads. Throws a `StageError` when a model's key is null or not
 * unique.
 */
export async function makeExpectation(
  work: ExpectationWork,
): Promise<ReadonlyMap<string, readonly ModelColumn[]>> {
  const { duckdb, sql } = work;
  const columns = await registerModels(duckdb, sql);
  for (const name of WORK_SCHEMAS) {
    await duckdb.run(`create schema ${WORK_CATALOGUE}.${name}`);
  }
  for (const table of sql.tables) await readTable(work, table);
  await duckdb.run(
    `create table ${expectedRows(QUARANTINE.name)} as
    ${emptyModelSql(QUARANTINE_TYPES)}`,
  );
  for (const table of sql.tables) await quarantineRows(work, table);
  for (const model of sql.models) {
    await duckdb.run(
      `create table ${expectedRows(model.name)} as\n${model.sql}`,
    );
    await checkKeys(duckdb, model);
  }
  return new Map([...columns, [QUARANTINE.name, QUARANTINE_TYPES]]);
}

/** Reads a table's rows with their types, and marks those that don't fit. */
async function readTable(
  { duckdb, source }: ExpectationWork,
  table: ContractTable,
): Promise<void> {
  const copied = source.get(table.name);
  if (copied === undefined) throw new Error(`No rows of "${table.name}"`);
  const names = table.columns.map((column) => column.name);
  const values = table.columns.map((column) =>
    `${valueSql(column)} as ${valueName(column.name)}`
  );
  const typed = names.map((name) => `${valueName(name)} as ${quoteName(name)}`);
  const key = table.key.map((name) =>
    `coalesce(cast(${valueName(name)} as varchar), ${quoteName(name)})`
  );
  const { isFaulty, fault } = faultSql(table.columns, copied);
  const rows = sourceRows(table);
  await duckdb.run(
    `create table ${rows} as
    select ${typed.join(", ")}, case when ${isFaulty} then ${fault} end
      as ${FAULT}, case when ${isFaulty} then ${keyText(key)} end
      as ${FAULTY_KEY}
    from (
      select *, ${values.join(", ")} from ${copiedRowsSql(copied)}
    )`,
  );
  await Deno.remove(copied.path);
  await checkCount(duckdb, { rows, copied, name: table.name });
  const all = `select ${quoteNames(names)} from ${rows}`;
  await duckdb.run(
    `create or replace view arrived.${quoteName(table.name)} as ${all}`,
  );
}

/** Throws a `StageError` when rows were lost on the way from Postgres. */
export async function checkCount(
  duckdb: DuckDb,
  options: { rows: string; copied: CopiedRows; name: string },
): Promise<void> {
  const { rows, copied, name } = options;
  const [found] = await duckdb.rows(`select count(*) as rows from ${rows}`);
  if (Number(found?.rows) === copied.rows) return;
  throw new StageError(
    `Cannot verify "${name}": ${
      counted(found?.rows ?? "", "rows were")
    } read of ${copied.rows} that Postgres sent`,
    { subject: name, retryable: true, hint: "Run verify again" },
  );
}

/** Hides unreadable rows from the models, and shows them the others. */
async function quarantineRows(
  work: ExpectationWork,
  table: ContractTable,
): Promise<void> {
  const { duckdb, sql, keptSql } = work;
  const name = quoteName(table.name);
  const bad = `${WORK_CATALOGUE}.bad.${name}`;
  const names = quoteNames(table.columns.map((column) => column.name));
  const key = keyText(table.key.map(keyColumnText));
  const whole = table.key.map((column) => `${quoteName(column)} is not null`);
  const query = sql.quarantine.get(table.name);
  const byQuery = query === undefined ? "" : `union all
    select ${key}, ${reasonSql(table.name)} from (\n${query}) where ${
    whole.join(" and ")
  }`;
  await duckdb.run(
    `create table ${bad} as
    select row_key, string_agg(reason, '; ' order by reason) as reason
    from (
      select ${FAULTY_KEY} as row_key, ${FAULT} as reason
      from ${sourceRows(table)} where ${FAULT} is not null ${byQuery}
    ) group by row_key`,
  );
  const [counted] = await duckdb.rows(`select count(*) as rows from ${bad}`);
  const some = Number(counted?.rows) > 0;
  const keyed = `(select *, coalesce(${FAULTY_KEY}, ${key}) as " key"
    from ${sourceRows(table)})`;
  const good = some
    ? `select ${names} from ${keyed}
      anti join ${bad} as bad on bad.row_key = " key"`
    : `select ${names} from ${sourceRows(table)}`;
  // Joins see the previous version of a row in quarantine, which only the lake
  // has kept.
  const kept = some ? keptSql(table) : undefined;
  await duckdb.run(`create or replace view changed.${name} as ${good}`);
  await duckdb.run(
    `create or replace view current.${name} as from changed.${name}` +
      (kept === undefined ? "" : ` union all select ${names} from (${kept})
        where ${key} in (select row_key from ${bad})`),
  );
  if (!some) return;
  const fields = table.columns.map(({ name: column }) =>
    `${quoteText(column)}: keyed.${quoteName(column)}`
  );
  await duckdb.run(
    `insert into ${expectedRows(QUARANTINE.name)}
    select ${quoteText(table.name)}, bad.row_key, bad.reason,
      cast({${fields.join(", ")}} as varchar)
    from ${bad} as bad inner join ${keyed} as keyed on bad.row_key = " key"`,
  );
}

async function checkKeys(duckdb: DuckDb, model: ModelSql): Promise<void> {
  const key = quoteNames(model.key);
  const isNull = model.key.map((name) => `${quoteName(name)} is null`)
    .join(" or ");
  const [wrong] = await duckdb.rows(
    `select ${keyText(model.key.map(keyColumnText))} as key,
      ${isNull} as is_null, count(*) as rows
    from ${expectedRows(model.name)} group by ${key}
    having count(*) > 1 or ${isNull} order by key limit 1`,
  );
  if (wrong === undefined) return;
  throw new StageError(
    `Cannot verify "${model.name}": ${
      wrong.is_null === "true"
        ? `its query gives a null in the key (${model.key.join(", ")})`
        : `its query gives the key ${wrong.key} in ${wrong.rows} rows`
    }`,
    {
      subject: model.name,
      dataCheck: true,
      hint:
        `Each row must have a key of its own: correct the rows in the source, or sql/models/${model.name}.sql`,
    },
  );
}

function sourceRows(table: ContractTable): string {
  return `${WORK_CATALOGUE}.source.${quoteName(table.name)}`;
}

/** SQL for a column's text as its value; null when it can't be one. */
function valueSql({ name, type }: ContractColumn): string {
  const text = quoteName(name);
  if (type.name === "text") return text;
  const value = `try_cast(${text} as ${typeSql(type)})`;
  // DuckDB ignores what follows a date: 44 BC would be AD 44.
  return type.name === "date"
    ? `case when not suffix(${text}, ' BC') then ${value} end`
    : value;
}

/** The name of a text's value, where both are present. */
function valueName(column: string): string {
  return quoteName(` ${column}`);
}

/** SQL for whether some texts of a row can't be read, and which ones. */
function faultSql(
  columns: readonly ContractColumn[],
  copied: CopiedRows,
): { isFaulty: string; fault: string } {
  const faults = columns.filter(({ type }) => type.name !== "text")
    .map(({ name, type }) => {
      const [text, value] = [quoteName(name), valueName(name)];
      const isInfinite = MOMENTS.includes(type.name)
        ? ` or not isfinite(${value})`
        : "";
      // DuckDB writes later ones rounded.
      const isLate = type.name === "timestamptz"
        ? ` or ${value} >= timestamptz '287396-01-01 00:00:00+00'`
        : "";
      const isFaulty =
        `(${text} is not null and (${value} is null${isInfinite}${isLate}))`;
      const start = quoteText(`${name} is no ${typeSql(type)}: "`);
      return {
        isFaulty,
        fault: `case when ${isFaulty}
          then ${start} || left(${text}, ${SHOWN_CHARACTERS}) || '"' end`,
      };
    });
  if (copied.columns.includes(FAULT_COLUMN)) {
    faults.unshift({
      isFaulty: `${quoteName(FAULT_COLUMN)} is not null`,
      fault: quoteName(FAULT_COLUMN),
    });
  }
  return {
    isFaulty: ["false", ...faults.map(({ isFaulty }) => isFaulty)].join(" or "),
    fault: `concat_ws('; ', ${
      ["null", ...faults.map(({ fault }) => fault)].join(", ")
    })`,
  };
}
