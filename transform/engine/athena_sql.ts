import type { Column } from "../../lib/duckdb/data_files.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { HiveDialect } from "./hive_engine.ts";
import { trinoType } from "./trino_types.ts";

/**
 * Athena's SQL where it is not Trino's. Queries are Trino's (engine version 3);
 * statements about tables are Hive's, with Hive's names of types and backticks:
 * https://docs.aws.amazon.com/athena/latest/ug/data-types.html
 *
 * Its Parquet tables hold moments of milliseconds: a query that writes
 * `timestamp(6)` fails ("Incorrect timestamp precision for timestamp(6); the
 * configured precision is MILLISECONDS", dbt-labs/dbt-adapters#424), and no
 * session property changes that, as one does in Trino. So a moment is carried as
 * text with its microseconds.
 */
export function athenaDialect(database: string): HiveDialect {
  const nameOf = (name: string) => [database, name].map(quoteName).join(".");
  const inHive = (name: string) => `\`${database}\`.\`${name}\``;
  return {
    carriedType: carriedByAthena,
    carry: (value, type) => type === "TIMESTAMP" ? momentText(value) : value,
    uncarry,
    nameOf,
    createTable: (name, { columns, location }) => {
      const list = columns.map(({ name, type }) =>
        `\`${name}\` ${hiveType(type)}`
      );
      return `create external table ${inHive(name)} (${list.join(", ")})
      stored as parquet location ${quoteText(`${location}/`)}`;
    },
    dropTable: (name) => `drop table if exists ${inHive(name)}`,
    // Neither signs nor words of Hive are in a database's name: see the settings.
    listTables: `show tables in ${database} 'run_*'`,
  };
}

/** The type that a column has in the files that Athena reads and writes. */
export function carriedByAthena(type: string): string {
  return type === "TIMESTAMP" ? "VARCHAR" : type;
}

function uncarry({ name, type }: Column): string {
  return type === "TIMESTAMP"
    ? `cast(${quoteName(name)} as ${trinoType(type)})`
    : quoteName(name);
}

/**
 * A moment as text that DuckDB reads as the same moment. It makes the query
 * fail, with the reason in the error, where the year has not four digits.
 */
function momentText(value: string): string {
  const text = `cast(${value} as varchar)`;
  return `case when regexp_like(${text}, '^\\d{4}-') then ${text}
    when ${text} is not null then cast(cast(
      concat('a year of more or less than four digits', substr(${text}, 1, 0))
      as integer) as varchar) end`;
}

/** The name in Hive's statements of one of Trino's types. */
function hiveType(type: string): string {
  const known = trinoType(type);
  if (known === undefined) throw new Error(`Hive has no ${type}`);
  return known === "varchar" ? "string" : known === "integer" ? "int" : known;
}
