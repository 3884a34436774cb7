const KEY_CHARACTERS_MAX = 900;

/**
 * Checks that a key names a file inside its zone: segments of letters, digits
 * and `_ - . =`, separated by single slashes, none of which begins with a dot
 * (those names are reserved for the zone). Throws a TypeError if it doesn't.
 */
export function checkZoneKey(key: string): void {
  if (!isKey(key)) {
    throw new TypeError(`Cannot use the key "${key}" in a zone: not a name`);
  }
}

/** Whether `checkZoneKey` accepts a key. */
export function isKey(key: string): boolean {
  return key.length <= KEY_CHARACTERS_MAX && key.split("/").every(isSegment);
}

/** Turns any name into a key segment; special characters become `=` hex. */
export function keyName(name: string): string {
  return name.replaceAll(
    /[^A-Za-z0-9_.-]|^[.-]/gu,
    (character) =>
      [...new TextEncoder().encode(character)]
        .map((byte) => `=${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** Checks the beginning of a key, which may end anywhere or be empty. */
export function checkPrefix(prefix: string): void {
  checkZoneKey(`${prefix}x`);
}

function isSegment(segment: string): boolean {
  return /^[A-Za-z0-9_=-][A-Za-z0-9_.=-]*$/.test(segment);
}
