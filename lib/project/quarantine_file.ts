/**
 * The name of the file with a table's quarantine rule, without `.sql`: what no
 * name of a file has everywhere is written as in a URL.
 */
export function quarantineName(table: string): string {
  return table.replace(/[/\\]/g, encodeURIComponent);
}

/** The file with a table's quarantine rule, as messages name it. */
export function quarantinePath(table: string): string {
  return `sql/quarantine/${quarantineName(table)}.sql`;
}

/** The table that a rule is about, by that name of its file. */
export function quarantinedTable(
  file: string,
  tables: readonly { name: string }[],
): string {
  return tables.find(({ name }) =>
    name === file || quarantineName(name) === file
  )
    ?.name ?? file;
}
