/**
 * The name of the file with a table's quarantine rule, without `.sql`: what no
 * name of a file has everywhere is written as in a URL, and so is the `%` of a
 * name that has such a code itself.
 */
export function quarantineName(table: string): string {
  return table.replace(/[/\\]|%(?=2F|5C|25)/gi, encodeURIComponent);
}

/** The file with a table's quarantine rule, as messages name it. */
export function quarantinePath(table: string): string {
  return `sql/quarantine/${quarantineName(table)}.sql`;
}

/** The table that a rule is about, by that name of its file or by its own. */
export function quarantinedTable(
  file: string,
  tables: readonly { name: string }[],
): string {
  const found = tables.find(({ name }) => quarantineName(name) === file);
  return found?.name ?? file;
}

/** A problem for each table of which several files are a rule. */
export function doubledRules(
  files: readonly string[],
  tables: readonly { name: string }[],
): string[] {
  return [...Map.groupBy(files, (file) => quarantinedTable(file, tables))]
    .filter(([, rules]) => rules.length > 1)
    .map(([table, rules]) =>
      `sql/quarantine has several files for the table "${table}": ${
        rules.map((rule) => `${rule}.sql`).join(", ")
      }`
    );
}
