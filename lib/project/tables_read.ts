/** What is no code in SQL, or a name; dollar quotes are texts too. */
const TOKENS = new RegExp(
  [
    String.raw`--[^\n]*`,
    String.raw`/\*[\s\S]*?\*/`,
    String.raw`\be'(?:[^'\\]|\\[\s\S]|'')*'`,
    String.raw`'(?:[^']|'')*'`,
    String.raw`\$(?<tag>[\p{L}_]*)\$[\s\S]*?\$\k<tag>\$`,
    String.raw`(?<name>"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`(?<sign>\S)`,
  ].join("|"),
  "giu",
);

/** Texts and quoted names as they are, or blanks and comments in a row. */
const TEXTS_AND_BLANKS =
  /\be'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([\p{L}_]*)\$[\s\S]*?\$\1\$|(?:\s|--[^\n]*|\/\*[\s\S]*?\*\/)+/giu;

/** The schemas in which a batch's tables stand. */
const SCHEMAS: readonly string[] = ["arrived", "changed", "current"];

/**
 * The source tables that a query of the folder `sql/` reads, by the schemas
 * they are read from, in the order in which it names them. Comments and texts
 * are skipped; transform compares this with what DuckDB parses.
 */
export function tablesRead(
  sql: string,
  schemas: readonly string[] = SCHEMAS,
): string[] {
  const tokens = [...sql.matchAll(TOKENS)].flatMap(({ groups }) => {
    const { name, sign } = groups ?? {};
    return name !== undefined
      ? [plain(name)]
      : sign !== undefined
      ? [sign]
      : [];
  });
  const read = tokens.flatMap((token, index) => {
    const [dot, table] = tokens.slice(index + 1, index + 3);
    const isRead = schemas.includes(token.toLowerCase()) && dot === "." &&
      table !== undefined && tokens[index - 1] !== ".";
    return isRead ? [table.toLowerCase()] : [];
  });
  return [...new Set(read)];
}

/** SQL less its comments, with one blank wherever there were some. */
export function withoutComments(sql: string): string {
  return sql.replace(
    TEXTS_AND_BLANKS,
    (found) => /^(?:--|\/\*|\s)/.test(found) ? " " : found,
  ).trim();
}

function plain(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
