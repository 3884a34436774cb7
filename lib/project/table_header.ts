import { type Header, listOf, nameOf } from "./header_fields.ts";

/** What a model's header says of its table in the warehouse. */
export interface TableHeader {
  /** What a row of it is: the table's comment there. */
  meaning: string;
  /** What columns mean, by their names: their comments. */
  meanings: ReadonlyMap<string, string>;
  /** Which dimension a column refers to, by the column. */
  references: ReadonlyMap<string, string>;
  /** Columns that are never null, beside those of the key. */
  notNull: readonly string[];
}

/** Of a model whose header says nothing of its table. */
export const NO_TABLE_HEADER: TableHeader = {
  meaning: "",
  meanings: new Map(),
  references: new Map(),
  notNull: [],
};

/** A name in quotes or a plain one, a colon, and what it means. */
const COLUMN = /^\s+("[^"]+"|[\p{L}_][\p{L}\p{N}_$]*):\s+(.*)$/u;

/**
 * Reads what a header says of a model's table:
 *
 * - `References: customer_id -> dim_customer, sold_on -> dim_day.`;
 * - `Not null: a, b.`;
 * - `Columns:`, and below it an indented line for each column, its name and
 *   what it means: `--   paid: whether the money has come.`;
 * - `Grain`, and what the header says first, become the table's comment.
 */
export function readTableHeader(
  { about, fields }: Header,
  /** Takes what can't be read. */
  problem: (found: string) => void,
): TableHeader {
  const references = new Map<string, string>();
  for (const reference of listOf(fields.get("References") ?? "")) {
    const [column = "", dimension = "", ...others] = reference.split("->")
      .map(nameOf);
    if (column === "" || dimension === "" || others.length > 0) {
      problem(
        `its header says References: ${reference}, which is not as in \`customer_id -> dim_customer\``,
      );
    } else references.set(column, dimension);
  }
  return {
    meaning: [about, fields.get("Grain") ?? ""].filter((text) => text !== "")
      .map(sentence).join(" "),
    meanings: readMeanings(fields.get("Columns") ?? "", problem),
    references,
    notNull: listOf(fields.get("Not null") ?? ""),
  };
}

function readMeanings(
  text: string,
  problem: (found: string) => void,
): Map<string, string> {
  const meanings = new Map<string, string>();
  let column: string | undefined;
  for (const line of text.split("\n").filter((one) => one.trim() !== "")) {
    const [, name, meaning = ""] = COLUMN.exec(line) ?? [];
    if (name !== undefined) meanings.set(column = nameOf(name), meaning.trim());
    else if (column !== undefined) {
      meanings.set(column, `${meanings.get(column)} ${line.trim()}`);
    } else {
      problem(
        `its header says under Columns: ${line.trim()}, which is not as in \`  paid: whether the money has come\``,
      );
    }
  }
  return new Map(
    [...meanings].map(([name, meaning]) => [name, sentence(meaning)]),
  );
}

/** With a capital letter and a full stop. */
function sentence(text: string): string {
  const [first = ""] = text;
  const begun = first.toUpperCase() + text.slice(first.length);
  return /[.!?:]$/.test(begun) ? begun : `${begun}.`;
}
