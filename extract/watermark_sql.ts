import { query } from "../lib/postgres/postgres.ts";
import type { LiveTable } from "./live_table.ts";
import type { Snapshot } from "./snapshot.ts";

/** Masks the 32 bits of a 64-bit id that rows store. */
const ID_MASK = 4294967295n;

/** First and last of consecutive transaction ids, 64 bits. */
export type IdRange = [first: string, last: string];

/**
 * SQL for the 64-bit id of the writer of a row that the snapshot sees: the
 * newest id below `nextId` that has these 32 bits.
 */
export function writerSql(nextId: bigint): string {
  const newest = nextId - 1n;
  return `(${newest} - ((${newest} - xmin::text::bigint) & ${ID_MASK}))`;
}

/** A SQL condition: the row's writer is at or above the watermark. */
export function sinceSql(watermark: bigint): string {
  // In this order, since of most rows the first comparison is false.
  return `age(xmin) <= (select age('${watermark & ID_MASK}'::xid))
    and age(xmin) >= 0`;
}

/**
 * A SQL condition: no earlier batch has shipped the row. Its writer is at or
 * above the watermark, and not among the ids shipped from beyond it.
 */
export function unshippedSql(
  options: { watermark: bigint; shipped: readonly IdRange[]; nextId: bigint },
): string {
  const { watermark, shipped, nextId } = options;
  const since = sinceSql(watermark);
  if (shipped.length === 0) return since;
  const ranges = shipped.map(([first, last]) =>
    `[${BigInt(first)},${BigInt(last)}]`
  );
  return `${since} and not '{${ranges.join()}}'::int8multirange @> ${
    writerSql(nextId)
  }`;
}

/**
 * The ids at or above the new watermark that wrote rows which this snapshot
 * sees. They must be read from the rows: those written under a savepoint carry
 * ids that a snapshot can't judge. A writer that is seen has committed and
 * writes no more. A table of which nothing was shipped in this batch has no
 * others than those of the batch before, so it is read only if these are of use.
 */
export async function readShippedWriters(
  { watermark, nextId, use }: Pick<Snapshot, "watermark" | "nextId" | "use">,
  read: {
    table: LiveTable;
    /** Whether this batch has rows of the table. */
    isShipped: boolean;
    /** The writers of the batch before. */
    before: readonly IdRange[];
  },
): Promise<bigint[]> {
  const { table, isShipped, before } = read;
  // If no transaction runs, no id beyond the watermark has been assigned.
  if (watermark === nextId) return [];
  if (!isShipped && before.every(([, last]) => BigInt(last) < watermark)) {
    return [];
  }
  const rows = await use((client) =>
    query(
      client,
      `select distinct ${writerSql(nextId)} as writer
      from ${table.from} where ${sinceSql(watermark)}`,
    ), table.contract.name);
  return rows.map((row) => BigInt(row.writer ?? 0));
}

/** Merges ids into ranges, in order. */
export function toRanges(ids: readonly bigint[]): IdRange[] {
  const sorted = [...new Set(ids)].sort((a, b) => a < b ? -1 : 1);
  const ranges: { first: bigint; last: bigint }[] = [];
  for (const id of sorted) {
    const open = ranges.at(-1);
    if (open !== undefined && id === open.last + 1n) open.last = id;
    else ranges.push({ first: id, last: id });
  }
  return ranges.map(({ first, last }) => [String(first), String(last)]);
}
