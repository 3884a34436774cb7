/**
 * A name as DuckDB compares names of tables and columns: the case of A to Z
 * doesn't count, that of other letters does. PostgreSQL stores names without
 * quotes in this form, except in a database of a single-byte encoding, such as
 * LATIN1, whose locale may fold others: the contract has these in lower case.
 */
export function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
