import { unescapedName } from "./escaped_name.ts";
import type { IngestedTable, KeyIndex } from "./manifest.ts";

/** The columns of a key that one batch has and another lacks. */
export interface KeyColumnsMoved {
  gone: string[];
  come: string[];
}

/** The names of a key's columns, in order, as a batch's digest has them. */
export function keyColumns(digest: Pick<KeyIndex, "key">): string[] {
  // No type of the contract has a space in it: `numeric(10,2)`.
  return digest.key.replace(/ by hash$/, "").split(", ")
    .map((column) => unescapedName(column.split(" ")[0] ?? ""));
}

/** By which names the key of a batch and the one of now differ. */
export function movedKeyColumns(
  digest: Pick<KeyIndex, "key">,
  key: readonly string[],
): KeyColumnsMoved {
  const before = keyColumns(digest);
  return {
    gone: before.filter((name) => !key.includes(name)),
    come: key.filter((name) => !before.includes(name)),
  };
}

/**
 * The columns of a batch's rows and deletes, in the order of its files, under
 * the names that the contract has now: one of the key may have been renamed.
 */
export function currentColumns(
  ingested: Pick<IngestedTable, "columns" | "digest">,
  key: readonly string[],
): { rows: string[]; deletes: string[] } {
  const { gone, come } = movedKeyColumns(ingested.digest, key);
  const [from] = gone;
  const [to] = come;
  const renamed = gone.length === 1 && come.length === 1 && to !== undefined &&
    !ingested.columns.includes(to);
  const current = (name: string) => renamed && name === from ? to : name;
  return {
    rows: ingested.columns.map(current),
    deletes: gone.length === come.length
      ? keyColumns(ingested.digest).map(current)
      : [...key],
  };
}
