import { keyText } from "../../lib/duckdb/key_text.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import {
  type ContractColumn,
  type ContractTable,
  typeSql,
} from "../../lib/project/contract.ts";
import type { ColumnType } from "../../lib/project/contract_types.ts";

/** How much of an unreadable text the reason shows. */
const SHOWN_CHARACTERS = 40;

/**
 * The key of a row of CSV as text, for people who read the quarantine; what
 * can't be typed is kept as it is.
 */
export function rowKey(table: ContractTable): string {
  return keyText(
    table.key.map((name) =>
      `coalesce(cast(${typedKey(table, name)} as varchar), ${quoteName(name)})`
    ),
  );
}

/** SQL for a column of the key, from a text of CSV. */
export function typedKey(table: ContractTable, name: string): string {
  const column = table.columns.find((one) => one.name === name);
  return typedText(quoteName(name), column?.type ?? { name: "text" });
}

/** SQL for a text as a value of a type; null if it isn't one. */
export function typedText(text: string, type: ColumnType): string {
  const value = `try_cast(${text} as ${typeSql(type)})`;
  // DuckDB ignores what follows a date: 44 BC would become AD 44.
  return type.name === "date"
    ? `case when ${text} not like '% BC' then ${value} end`
    : value;
}

/** SQL for why a row's texts can't be typed; null if they can. */
export function unreadable(columns: readonly ContractColumn[]): string {
  if (columns.length === 0) return "cast(null as varchar)";
  const faults = columns.map((column) => {
    const name = quoteName(column.name);
    const value = typedText(name, column.type);
    const fault = `(${name} is not null and (${value} is null${
      outOfRangeMoment(value, column.type)
    }))`;
    const reason = quoteText(
      `${column.name} is no ${typeSql(column.type)}: "`,
    );
    return {
      fault,
      reason:
        `case when ${fault} then ${reason} || left(${name}, ${SHOWN_CHARACTERS}) || '"' end`,
    };
  });
  return `case when ${faults.map(({ fault }) => fault).join(" or ")}
    then concat_ws('; ', ${faults.map(({ reason }) => reason).join(", ")}) end`;
}

/** DuckDB writes later moments as a double of milliseconds, which rounds. */
export const LAST_MOMENT = "timestamptz '287396-01-01 00:00:00+00'";

/** SQL for whether a moment is one that readers would misread. */
function outOfRangeMoment(value: string, { name }: ColumnType): string {
  if (!["date", "timestamp", "timestamptz"].includes(name)) return "";
  return ` or not isfinite(${value})${
    name === "timestamptz" ? ` or ${value} >= ${LAST_MOMENT}` : ""
  }`;
}
