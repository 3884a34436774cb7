import { unescapedName } from "./escaped_name.ts";
import type { IngestedTable, KeyIndex } from "./manifest.ts";

/** The columns that a key has lost and gained since a batch. */
export interface KeyColumnsMoved {
  gone: string[];
  come: string[];
}

/** The names of a key's columns, in order, from a batch's key index. */
export function keyColumns(digest: Pick<KeyIndex, "key">): string[] {
  // No type in the contract has a space: `numeric(10,2)`.
  return digest.key.replace(/ by hash$/, "").split(", ")
    .map((column) => unescapedName(column.split(" ")[0] ?? ""));
}

/** The names by which a batch's key differs from today's. */
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
 * The columns of a batch's rows and deletes, in the order of its files, by
 * today's names in the contract: a key column may have been renamed.
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
