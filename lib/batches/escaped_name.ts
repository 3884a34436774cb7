/**
 * A name within a line that blanks and commas divide, as manifests keep them of
 * keys and definitions: those, and the mark itself, are escaped.
 */
export function escapedName(name: string): string {
  return name.replaceAll(
    /[ ,%]/g,
    (character) => encodeURIComponent(character),
  );
}

/** The name that was escaped so. */
export function unescapedName(escaped: string): string {
  return escaped.replaceAll(
    /%(20|2C|25)/g,
    (character) => decodeURIComponent(character),
  );
}
