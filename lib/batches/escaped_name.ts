/**
 * Escapes a name for a line whose fields are separated by spaces and commas, as
 * manifests keep keys and definitions: these two and the `%` are escaped.
 */
export function escapedName(name: string): string {
  return name.replaceAll(
    /[ ,%]/g,
    (character) => encodeURIComponent(character),
  );
}

/** Undoes `escapedName`. */
export function unescapedName(escaped: string): string {
  return escaped.replaceAll(
    /%(20|2C|25)/g,
    (character) => decodeURIComponent(character),
  );
}
