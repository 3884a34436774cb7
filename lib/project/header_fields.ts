import { splitSql } from "./ddl_text.ts";

/** What may stand in the header of a model, each before a colon. */
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
] as const;
/** The name of a field. */
export type Field = typeof FIELDS[number];

/** The comment that a file begins with. */
export interface Header {
  /** What it says before any field: its first paragraph, in one line. */
  about: string;
  /** Each in one line; of `Columns`, the lines as they are indented. */
  fields: ReadonlyMap<Field, string>;
}

const LABEL = /^([a-z]+(?: [a-z]+)*):\s*(.*)$/i;

/** Reads the comment that a file begins with. */
export function readHeader(text: string): Header {
  const fields = new Map<Field, string>();
  const about: string[] = [];
  const [comment = ""] = /^\s*(?:[ \t]*(?:--.*)?\n)+/.exec(`${text}\n`) ?? [];
  let field: Field | undefined;
  let isAbout = true;
  for (const line of comment.split("\n")) {
    const [, indented = ""] = /^\s*-- ?(.*)$/.exec(line) ?? [];
    const said = indented.trim();
    if (field === "Columns" && /^\s+\S/.test(indented)) {
      fields.set(field, `${fields.get(field)}\n${indented}`);
      continue;
    }
    const [, label, value = ""] = LABEL.exec(said) ?? [];
    const begun = FIELDS.find((one) =>
      one.toLowerCase() === label?.toLowerCase()
    );
    if (begun !== undefined) fields.set(field = begun, value);
    // A label of somebody's own ends a field, as a blank line does.
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

/** Names between commas, in quotes or not; a full stop ends them, or the field. */
export function listOf(text: string): string[] {
  const [list = ""] = /^(?:"[^"]*"|[^".]|\.(?!\s|$))*/.exec(text) ?? [];
  return splitSql(list, ",").map(nameOf).filter((name) => name !== "");
}

/** A name, which may stand in quotes. */
export function nameOf(text: string): string {
  return text.trim().replace(/^"(.*)"$/, "$1");
}
