import { exactNumber } from "../../lib/exact_number.ts";
import type { TextRow } from "../../lib/sql/quote.ts";

/** Columns about versions and their intervals, not about the fact. */
export const HIDDEN =
  /^(?:valid_from|valid_to|from_batch|to_batch|is_placeholder)$/;

/** What happened to a row, and which of its columns differ. */
export interface FactChange {
  kind: "added" | "updated" | "deleted";
  columns: { name: string; before: unknown; after: unknown }[];
}

/**
 * Turns the versions of a row, in order, into what happened to it; `recordId`
 * is the column that numbers a fact's versions.
 */
export function readHistory(
  versions: readonly TextRow[],
  recordId?: string,
): (FactChange & Record<string, unknown>)[] {
  return versions.flatMap((one, index) => {
    const before = versions[index - 1];
    const after = versions[index + 1];
    // If no version follows at once, the fact was deleted.
    const goesOn = before?.to_batch === one.from_batch;
    const begun = {
      batch: one.from_batch,
      at: one.valid_from,
      ...compareVersions(
        goesOn ? before?.version : null,
        one.version,
        recordId,
      ),
    };
    const gone = one.to_batch !== null && one.to_batch !== after?.from_batch;
    return gone
      ? [begun, {
        batch: one.to_batch,
        at: one.valid_to,
        ...compareVersions(one.version, null, recordId),
      }]
      : [begun];
  });
}

/**
 * Compares two versions of a row, as the database's JSON; null if none. A number
 * that JavaScript might round is given as its text.
 */
export function compareVersions(
  before: string | null | undefined,
  after: string | null | undefined,
  recordId?: string,
): FactChange {
  const was = JSON.parse(before ?? "null", exactNumber);
  const is = JSON.parse(after ?? "null", exactNumber);
  const columns = Object.keys(is ?? was ?? {}).filter((name) =>
    !HIDDEN.test(name) && name !== recordId &&
    JSON.stringify(was?.[name]) !== JSON.stringify(is?.[name])
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
