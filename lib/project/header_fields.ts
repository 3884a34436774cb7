import { nearestName } from "../nearest_name.ts";
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
/** What may be meant as a label, at the beginning of a comment's line. */
const MEANT_AS_LABEL = /^\s*-- ?([a-z]+(?:[ _-][a-z]+)*):/i;
const COMMENT = /^\s*(?:[ \t]*(?:--.*)?\n)+/;

/** The lines of the comment at the beginning of a file. */
function commentLines(text: string): string[] {
  const [comment = ""] = COMMENT.exec(`${text}\n`) ?? [];
  return comment.split("\n");
}

/** Reads the comment at the beginning of a file. */
export function readHeader(text: string): Header {
  const fields = new Map<Field, string>();
  const about: string[] = [];
  let field: Field | undefined;
  let isAbout = true;
  for (const line of commentLines(text)) {
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

/**
 * What a reader of these fields would pass over in silence: a field that is
 * there twice, of which the last one counts, and a label that is much like one.
 */
export function headerFaults(
  text: string,
  fields: readonly Field[],
): string[] {
  const seen = new Set<Field>();
  return commentLines(text).flatMap((line) => {
    const [, label = ""] = MEANT_AS_LABEL.exec(line) ?? [];
    const field = fields.find((one) =>
      one.toLowerCase() === label.toLowerCase()
    );
    if (field !== undefined) {
      return seen.size === seen.add(field).size
        ? [`its header has ${field} twice: name all in one`]
        : [];
    }
    const meant = label === "" ? undefined : nearestName(label, fields);
    return meant === undefined
      ? []
      : [`its header says ${label}: did you mean ${meant}?`];
  });
}

/** Names separated by commas, in quotes or not, up to a full stop. */
export function listOf(text: string): string[] {
  const [list = ""] = /^(?:"[^"]*"|[^".]|\.(?!\s|$))*/.exec(text) ?? [];
  return splitSql(list, ",").map(nameOf).filter((name) => name !== "");
}

/** A name as it is stored: without its quotes, if it has any. */
export function nameOf(text: string): string {
  const [, quoted] = /^"((?:[^"]|"")*)"$/s.exec(text.trim()) ?? [];
  return quoted === undefined ? text.trim() : quoted.replaceAll('""', '"');
}
