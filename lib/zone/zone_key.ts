const KEY_CHARACTERS_MAX = 900;

/**
 * Checks that a key names a file inside its zone: segments of letters, digits
 * and `_ - . =`, divided by single slashes, none of which begins with a dot
 * (those names are the zone's own). Throws a TypeError otherwise.
 */
export function checkKey(key: string): void {
  if (!isKey(key)) {
    throw new TypeError(`Cannot use the key "${key}" in a zone: not a name`);
  }
}

/** Whether `checkKey` lets a key pass. */
export function isKey(key: string): boolean {
  return key.length <= KEY_CHARACTERS_MAX && key.split("/").every(isSegment);
}

/** A name of any characters as a segment of a key: others are in hex, after =. */
export function keyName(name: string): string {
  return name.replaceAll(
    /[^A-Za-z0-9_.-]|^[.-]/gu,
    (character) =>
      [...new TextEncoder().encode(character)]
        .map((byte) => `=${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** Checks the start of a key, which may end anywhere, also be empty. */
export function checkPrefix(prefix: string): void {
  checkKey(`${prefix}x`);
}

function isSegment(segment: string): boolean {
  return /^[A-Za-z0-9_=-][A-Za-z0-9_.=-]*$/.test(segment);
}
