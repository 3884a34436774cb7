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

/**
 * How many letters must be changed, added, removed or swapped with the next
 * (optimal string alignment).
 */
function distance(one: string, other: string): number {
  const rows = [Array.from({ length: other.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= one.length; row++) {
    const last = rows[row - 1] ?? [];
    const next = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSwapped = row > 1 && column > 1 &&
        one[row - 1] === other[column - 2] &&
        one[row - 2] === other[column - 1];
      next.push(Math.min(
        (last[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (one[row - 1] === other[column - 1] ? 0 : 1),
        isSwapped ? (rows[row - 2]?.[column - 2] ?? 0) + 1 : Infinity,
      ));
    }
    rows.push(next);
  }
  return rows[one.length]?.[other.length] ?? 0;
}
