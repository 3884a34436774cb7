/** The name that was most likely meant; undefined if none is similar. */
export function nearestName(
  text: string,
  names: readonly string[],
): string | undefined {
  const plain = text.toLowerCase().replace(/[-_]/g, "");
  const [nearest] = names
    .map((name) => ({
      name,
      distance: distance(plain, name.toLowerCase().replace(/[-_]/g, "")),
    }))
    .filter(({ name, distance }) =>
      distance <= Math.max(1, Math.floor(name.length / 4))
    )
    .sort((a, b) => a.distance - b.distance);
  return nearest?.name;
}

/** How many letters must be changed, added or removed (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= other.length; column++) {
      next.push(Math.min(
        (row[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (row[column - 1] ?? 0) + (other[column - 1] === letter ? 0 : 1),
      ));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
