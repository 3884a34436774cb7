import { keyColumns, movedKeyColumns } from "../lib/batches/key_columns.ts";
import type {
  Canary,
  IngestedTable,
  IngestionManifest,
} from "../lib/batches/manifest.ts";
import { StageError } from "../lib/errors.ts";
import type { CanaryState } from "./canary.ts";
import { redefinedColumn } from "./definitions.ts";
import type { LiveTable } from "./live_table.ts";
import { isSameDatabase } from "./server_state.ts";
import type { Snapshot } from "./snapshot.ts";

/** Past this many transactions, 32-bit ids in rows become ambiguous. */
const IDS_MAX = 2n ** 30n;

/** A canary and its state in the source now. */
export interface ProbedCanary {
  table: string;
  canary: Canary;
  state: CanaryState;
}

/**
 * Why every table must be read whole; undefined if it needn't be. Throws when
 * the source is a standby behind what has been read already, or one of two
 * sources that are read in turn and no full read was asked for.
 */
export function sourceFullReadReason(
  snapshot: Pick<
    Snapshot,
    "databaseId" | "timeline" | "nextId" | "inRecovery"
  >,
  options: { previous: IngestionManifest; asked: boolean },
): string | undefined {
  const { previous, asked } = options;
  const { databaseId, timeline, nextId, fence, earlier } = previous.source;
  if (!isSameDatabase(snapshot.databaseId, databaseId)) {
    if (earlier.includes(snapshot.databaseId) && !asked) {
      throw new StageError(
        `Cannot read the source: batch ${previous.batch} came from another database, and batches before it came from this one`,
        {
          subject: "source",
          hint:
            "Do two deployments write into one lake? Give each its own INGESTION_URL and PROCESSED_URL. If the source has moved back for good, run extract once with --full",
        },
      );
    }
    return "the source is not the database of the batch before";
  }
  const isKnown = snapshot.timeline !== 0 && timeline !== 0;
  if (isKnown && snapshot.timeline !== timeline) {
    return `the source's timeline is now ${snapshot.timeline}, and was ${timeline}`;
  }
  if (snapshot.nextId < BigInt(nextId)) {
    if (!snapshot.inRecovery) {
      return "the source was set back to an earlier state";
    }
    throw new StageError(
      `Cannot read the source: it is a standby at transaction ${snapshot.nextId}, and batch ${previous.batch} was read up to ${nextId}`,
      {
        subject: "source",
        retryable: true,
        hint: "Wait until the standby has caught up, or read the primary",
      },
    );
  }
  if (snapshot.nextId - BigInt(fence) > IDS_MAX) {
    return "over 2^30 transactions have passed since the last batch";
  }
  return undefined;
}

/**
 * Why canaries show that the source was set back although its ids have moved
 * on: one was reverted, or is missing while none as new is left to show that it
 * was merely deleted. Undefined if they don't.
 */
export function canaryFullReadReason(
  probed: readonly ProbedCanary[],
): string | undefined {
  const reverted = probed.find((one) => one.state === "reverted");
  if (reverted !== undefined) {
    return `a row of "${reverted.table}" differs from the batch before: the source was set back`;
  }
  const newestThere = probed
    .filter((one) => one.state !== "missing")
    .map((one) => BigInt(one.canary.writer))
    .reduce((newest, writer) => writer > newest ? writer : newest, 0n);
  const missing = probed.find((one) =>
    one.state === "missing" && BigInt(one.canary.writer) > newestThere
  );
  return missing === undefined
    ? undefined
    : `the newest row of "${missing.table}" is gone: deleted, or the source was set back`;
}

/**
 * Throws when the key consists of other columns than in the batch before:
 * deleted keys could not be found. Other types, another order and one renamed
 * column leave the keys what they were.
 */
export function checkSameKeyColumns(
  table: LiveTable,
  previous: IngestedTable,
): void {
  const { name, key, columns } = table.contract;
  const { gone, come } = movedKeyColumns(previous.digest, key);
  const stays = columns.some((column) => gone.includes(column.name));
  const was = previous.columns.some((column) => come.includes(column));
  const renamed = gone.length === 1 && come.length === 1 && !stays && !was;
  const same = gone.length === 0 && come.length === 0;
  if (same || renamed || previous.digest.buckets.length === 0) return;
  throw new StageError(
    `Cannot compare the keys of "${name}": its key is now (${
      key.join(", ")
    }), and was (${keyColumns(previous.digest).join(", ")})`,
    {
      subject: name,
      hint:
        "Within a lake a key keeps its columns; only their types, their order and the name of one may change: change sql/source.sql back, or point the zones and the warehouse to empty places",
    },
  );
}

/** Whether a canary of the batch before can still be looked up. */
export function isSameTable(
  table: LiveTable,
  previous: IngestedTable,
): boolean {
  const { definitions, identity } = previous;
  return identity === table.identity &&
    redefinedColumn(definitions, table.definitions) === undefined &&
    keyColumns(previous.digest).join() === table.contract.key.join();
}

/** Why a table must be read whole; undefined if it needn't be. */
export function tableFullReadReason(
  table: LiveTable,
  options: { previous: IngestedTable | undefined; contractHash: string },
): string | undefined {
  const { previous, contractHash } = options;
  if (previous === undefined) return "no batch has it yet";
  if (previous.outOfContract) return "the contract lacked it for a while";
  if (previous.contractHash !== contractHash) return "its contract changed";
  if (previous.identity !== table.identity) {
    return table.from.startsWith("only ")
      ? "it was rewritten, or it or a column was replaced by one of the same name"
      : "a partition was attached, detached or rewritten, or it or a column was replaced by one of the same name";
  }
  const column = redefinedColumn(previous.definitions, table.definitions);
  if (column !== undefined) {
    return `the values of its column "${column}" read differently: a type or an expression behind them has changed`;
  }
  return undefined;
}
