import type { TextRow } from "../lib/postgres/postgres.ts";

/** Columns about versions and their intervals, not about the fact. */
const HIDDEN = /_record_id$|^valid_|_batch$/;

/** What happened to a fact, and which of its columns differ. */
export interface FactChange {
  kind: "added" | "updated" | "deleted";
  columns: { name: string; before: unknown; after: unknown }[];
}

/** Turns the versions of a fact, in order, into what happened to it. */
export function readHistory(
  versions: readonly TextRow[],
): (FactChange & Record<string, unknown>)[] {
  return versions.flatMap((one, index) => {
    const before = versions[index - 1];
    const after = versions[index + 1];
    // If no version follows at once, the fact was deleted.
    const goesOn = before?.to_batch === one.from_batch;
    const begun = {
      batch: one.from_batch,
      at: one.valid_from,
      ...compareVersions(goesOn ? before?.version : null, one.version),
    };
    const gone = one.to_batch !== null && one.to_batch !== after?.from_batch;
    return gone
      ? [begun, {
        batch: one.to_batch,
        at: one.valid_to,
        ...compareVersions(one.version, null),
      }]
      : [begun];
  });
}

/** Compares two versions of a row, as the database's JSON; null if none. */
export function compareVersions(
  before: string | null | undefined,
  after: string | null | undefined,
): FactChange {
  const was = JSON.parse(before ?? "null");
  const is = JSON.parse(after ?? "null");
  const columns = Object.keys(is ?? was ?? {}).filter((name) =>
    !HIDDEN.test(name) && was?.[name] !== is?.[name]
  );
  return {
    kind: was === null ? "added" : is === null ? "deleted" : "updated",
    columns: columns.map((name) => ({
      name,
      before: was?.[name] ?? null,
      after: is?.[name] ?? null,
    })),
  };
}
