import type { TextRow } from "../lib/postgres/postgres.ts";

/** Columns that number versions and their intervals. */
const HIDDEN = /_record_id$|^valid_|_batch$/;

/** What became of a fact, and which of its columns differ. */
export interface FactChange {
  kind: "added" | "updated" | "deleted";
  columns: { name: string; before: unknown; after: unknown }[];
}

/** What happened to a fact, in order: its versions one after the other. */
export function readHistory(
  versions: readonly TextRow[],
): (FactChange & Record<string, unknown>)[] {
  return versions.flatMap((one, index) => {
    const before = versions[index - 1];
    const after = versions[index + 1];
    // It was deleted where no version follows at once.
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

/** Two versions of a row as the database's JSON; null: there is none. */
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
