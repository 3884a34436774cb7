/** The sum of files' rows or bytes, or of another number that all have. */
export function sum<Name extends string>(
  files: readonly { readonly [name in Name]: number }[],
  of: Name,
): number {
  return files.reduce((total, file) => total + file[of], 0);
}
