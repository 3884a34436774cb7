import type { Context } from "hono";
import type { LatestBatch } from "../live/latest_batch.ts";
import type { BatchRange } from "../figures/timeline.ts";

/**
 * The batch of a path, or that of a text, which must be loaded: answers about it
 * are kept.
 */
export async function readBatchNumber(
  context: Context,
  newest: LatestBatch,
  text: string = context.req.param("batch") ?? "",
): Promise<number> {
  const batch = wholeNumber(text);
  if (batch > newest.batch) await newest.read();
  if (batch > newest.batch) {
    newest.forget();
    await newest.read();
  }
  if (batch >= 1 && batch <= newest.batch) return batch;
  throw new RangeError(
    `batch ${batch} is not in the warehouse: 1 to ${newest.batch}`,
  );
}

/**
 * Reads the range of batches that a request asks for by `after` and `to`;
 * null if it asks for all up to `batch`. Throws a `RangeError` for one that has
 * no batch, or later ones.
 */
export function readBatchRange(
  { req }: Context,
  batch: number,
): BatchRange | null {
  const [after, to] = [req.query("after"), req.query("to")];
  if (after === undefined && to === undefined) return null;
  const range = {
    after: wholeNumber(after ?? "0"),
    to: wholeNumber(to ?? String(batch)),
  };
  if (range.after >= 0 && range.after < range.to && range.to <= batch) {
    return range;
  }
  throw new RangeError(
    `there are no batches after ${range.after} up to ${range.to}: batch ${batch} is the newest`,
  );
}

/** Reads a whole number. Throws a `RangeError` if it is none. */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^-?\d{1,15}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new RangeError(`"${text.slice(0, 40)}" is not a whole number`);
}
