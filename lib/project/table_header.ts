import { NAME } from "./ddl_text.ts";
import { type Header, listOf, nameOf } from "./header_fields.ts";

/** The part of a model's header about its table in the warehouse. */
export interface TableHeader {
  /** What a row of it means: the table's comment there. */
  meaning: string;
  /** What columns mean, by name: their comments. */
  meanings: ReadonlyMap<string, string>;
  /** The dimensions that columns refer to, by column. */
  references: ReadonlyMap<string, string>;
  /** Columns that are never null, in addition to those of the key. */
  notNull: readonly string[];
}

/** A plain or quoted name, a colon, and its meaning. */
const COLUMN = new RegExp(`^\\s+(${NAME}):\\s+(.*)$`, "u");
/** Two names, the first before an arrow that stands in neither. */
const REFERENCE = new RegExp(
  `^(${NAME}|(?:(?!->)[^"])+)\\s*->\\s*(${NAME}|(?:(?!->)[^"])+)$`,
  "u",
);

/**
 * Reads what a header says about a model's table:
 *
 * - `References: customer_id -> dim_customer, sold_on -> dim_day.`;
 * - `Not null: a, b.`;
 * - `Columns:`, and below it an indented line for each column, its name and
 *   what it means: `--   paid: whether the money has come.`;
 * - the first paragraph and `Grain` become the table's comment.
 */
export function readTableHeader(
  { about, fields }: Header,
  /** Receives the problems. */
  problem: (found: string) => void,
): TableHeader {
  const references = new Map<string, string>();
  for (const reference of listOf(fields.get("References") ?? "")) {
    const [, column = "", dimension = ""] = (REFERENCE.exec(reference) ?? [])
      .map(nameOf);
    if (column === "" || dimension === "") {
      problem(
        `its header says References: ${reference}, which is not of the form \`customer_id -> dim_customer\``,
      );
    } else if (references.has(column)) {
      problem(
        `its header says References: ${reference}, and that ${column} refers to ${
          references.get(column)
        }`,
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
        `its header says under Columns: ${line.trim()}, which is not of the form \`  paid: whether the money has come\``,
      );
    }
  }
  return new Map(
    [...meanings].map(([name, meaning]) => [name, sentence(meaning)]),
  );
}

/** Adds a capital letter and a full stop. */
function sentence(text: string): string {
  const [first = ""] = text;
  const begun = first.toUpperCase() + text.slice(first.length);
  return /[.!?:]$/.test(begun) ? begun : `${begun}.`;
}
