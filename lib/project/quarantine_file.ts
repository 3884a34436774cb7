/** Characters that no name of a file has everywhere, as a URL writes them. */
const WRITTEN = new Map([["/", "%2F"], ["\\", "%5C"]]);

/** The name of the file with a table's quarantine rule, without `.sql`. */
export function quarantineName(table: string): string {
  return table.replace(/[/\\]/g, (one) => WRITTEN.get(one) ?? one);
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
