import type { IngestionManifest } from "../lib/batches/manifest.ts";
import { ConfigError } from "../lib/errors.ts";
import { query } from "../lib/postgres/postgres.ts";
import type { ContractTable } from "../lib/project/contract.ts";
import { lacksTable } from "../lib/project/source_names.ts";
import type { StageContext } from "../lib/stage.ts";
import { sha256Hex } from "../lib/zone/checksum.ts";
import { probeCanary } from "./canary.ts";
import type { ExtractOptions } from "./extract.ts";
import {
  canaryFullReadReason,
  checkSameKeyColumns,
  isSameTable,
  type ProbedCanary,
  sourceFullReadReason,
  tableFullReadReason,
} from "./full_read_reasons.ts";
import { unshippedSql } from "./watermark_sql.ts";
import type { LiveTable } from "./live_table.ts";
import type { TableRead } from "./read_table.ts";
import type { Snapshot } from "./snapshot.ts";
import { tableError } from "./source_error.ts";

/** Throws a `ConfigError` when --full names a table the contract lacks. */
export function checkTableNames(
  options: ExtractOptions,
  context: StageContext,
): void {
  if (options.fullRead === undefined || options.fullRead === true) return;
  const known = context.sql.tables.map((table) => table.name);
  const unknown = options.fullRead.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    unknown.map((name) =>
      `--full names "${name}", which ${lacksTable(name, context.sql.tables)}`
    ),
  );
}

/** Decides for each table whether it is read whole, and why. */
export async function planReads(
  snapshot: Snapshot,
  plan: {
    live: LiveTable[];
    previous: IngestionManifest | undefined;
    options: ExtractOptions;
  },
): Promise<TableRead[]> {
  const { previous, options } = plan;
  // Tables are released in the order in which they are read: the small ones
  // first, so that all but the largest are locked only briefly, and so that in
  // the end all connections read the largest.
  const order = new Map(snapshot.tables.map((name, index) => [name, index]));
  const place = ({ contract }: LiveTable) => order.get(contract.name) ?? 0;
  const live = plan.live.toSorted((a, b) => place(a) - place(b));
  const ofSource = previous === undefined
    ? undefined
    : sourceFullReadReason(snapshot, {
      previous,
      asked: options.fullRead === true,
    }) ??
      await canaryReason(snapshot, { live, previous });
  const isIdle = previous !== undefined &&
    isIdleSince(snapshot, previous.source);
  return live.map((table) => {
    const { name } = table.contract;
    const before = previous?.tables[name];
    if (before !== undefined) checkSameKeyColumns(table, before);
    const contractHash = hashOfContract(table.contract);
    const asked = options.fullRead === true || options.fullRead?.includes(name);
    const fullRead = asked
      ? "it was asked for"
      : ofSource ?? tableFullReadReason(table, {
        previous: before,
        contractHash,
      });
    return {
      table,
      contractHash,
      previous: before,
      fullRead,
      unshippedSql: unshippedSql({
        watermark: BigInt(previous?.source.fence ?? 0),
        shipped: previous?.source.shipped ?? [],
        nextId: snapshot.nextId,
      }),
      isIdle,
    };
  });
}

/** A hash of a table's contract: when it changes, the table is read in full. */
export function hashOfContract({ name, columns, key }: ContractTable): string {
  return sha256Hex(JSON.stringify({ name, columns, key }));
}

/**
 * Whether a snapshot sees what the one before saw: that one saw every id below
 * its next as settled, and none has ended since.
 */
export function isIdleSince(
  { nextId }: Snapshot,
  before: IngestionManifest["source"],
): boolean {
  return before.fence === before.nextId && before.nextId === String(nextId);
}

async function canaryReason(
  snapshot: Snapshot,
  options: { live: LiveTable[]; previous: IngestionManifest },
): Promise<string | undefined> {
  const { live, previous } = options;
  const probed: ProbedCanary[] = [];
  for (const table of live) {
    const { name } = table.contract;
    const before = previous.tables[name];
    // A table that was replaced shows nothing about the source.
    if (before?.witness === undefined) continue;
    if (!isSameTable(table, before)) continue;
    const canary = before.witness;
    const state = await snapshot.use((client) =>
      probeCanary(client, {
        table,
        canary,
        watermark: BigInt(previous.source.fence),
        nextId: snapshot.nextId,
      }), name).catch((error) => {
        throw tableError(error, name);
      });
    probed.push({ table: name, canary, state });
  }
  return canaryFullReadReason(probed);
}

/** Estimates how many rows a first read ships, to show the time left. */
export async function estimatedRows(
  snapshot: Snapshot,
  reads: TableRead[],
): Promise<{ rows: number } | undefined> {
  if (reads.some((read) => read.fullRead === undefined)) return undefined;
  const rows = await snapshot.use((client) =>
    query(
      client,
      `select coalesce(sum(greatest(reltuples, 0)), 0)::bigint as rows
      from pg_class where oid = any($1::oid[])`,
      [reads.flatMap(({ table }) => table.parts.map((part) => part.oid))],
    )
  );
  const estimate = Number(rows[0]?.rows);
  return estimate > 0 ? { rows: estimate } : undefined;
}
