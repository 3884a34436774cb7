import { splitSql } from "./ddl_text.ts";

/** Fields of a header, each followed by a colon. */
const FIELDS = [
  "Grain",
  "Key",
  "Reads",
  "References",
  "Not null",
  "Columns",
  "Kind",
  "Maintained",
  "Times of day",
  "Serial number",
  "Why",
  "Record",
  "Time",
  "Measures",
  "Dimensions",
  "Stacked by",
  "Due",
  "Cards",
] as const;
/** The name of a field. */
export type Field = typeof FIELDS[number];

/** Fields with an indented line for each of what they list. */
const LISTS: readonly Field[] = [
  "Columns",
  "Measures",
  "Dimensions",
  "Cards",
];

/** The comment at the beginning of a file. */
export interface Header {
  /** Its first paragraph, before any field, on one line. */
  about: string;
  /** Each on one line, except lists, whose lines keep their indent. */
  fields: ReadonlyMap<Field, string>;
}

const LABEL = /^([a-z]+(?: [a-z]+)*):\s*(.*)$/i;

/** Reads the comment at the beginning of a file. */
export function readHeader(text: string): Header {
  const fields = new Map<Field, string>();
  const about: string[] = [];
  const [comment = ""] = /^\s*(?:[ \t]*(?:--.*)?\n)+/.exec(`${text}\n`) ?? [];
  let field: Field | undefined;
  let isAbout = true;
  for (const line of comment.split("\n")) {
    const [, indented = ""] = /^\s*-- ?(.*)$/.exec(line) ?? [];
    const said = indented.trim();
    const isIndented = /^\s+\S/.test(indented);
    if (isIndented && field !== undefined && LISTS.includes(field)) {
      fields.set(field, `${fields.get(field)}\n${indented}`);
      continue;
    }
    const [, label, value = ""] = LABEL.exec(said) ?? [];
    const begun = FIELDS.find((one) =>
      one.toLowerCase() === label?.toLowerCase()
    );
    if (begun !== undefined) fields.set(field = begun, value);
    // Any other label ends a field, as a blank line does.
    else if (said === "" || label !== undefined) field = undefined;
    else if (field !== undefined) {
      fields.set(field, `${fields.get(field)} ${said}`);
    } else if (isAbout) about.push(said);
    if (begun !== undefined || (said === "" && about.length > 0)) {
      isAbout = false;
    }
  }
  return { about: about.join(" "), fields };
}

/** Names separated by commas, in quotes or not, up to a full stop. */
export function listOf(text: string): string[] {
  const [list = ""] = /^(?:"[^"]*"|[^".]|\.(?!\s|$))*/.exec(text) ?? [];
  return splitSql(list, ",").map(nameOf).filter((name) => name !== "");
}

/** A name without its quotes, if it has any. */
export function nameOf(text: string): string {
  return text.trim().replace(/^"(.*)"$/, "$1");
}
