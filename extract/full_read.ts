import { StageError } from "../lib/errors.ts";
import type {
  IngestedTable,
  IngestionManifest,
  Witness,
} from "../lib/manifest.ts";
import type { LiveTable } from "./live_table.ts";
import { isSameDatabase } from "./server_state.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Testimony } from "./witness.ts";

/** Past so many transactions, 32-bit ids in rows can't be told apart. */
const IDS_MAX = 2n ** 30n;

/** A witness and what has become of it. */
export interface HeardWitness {
  table: string;
  witness: Witness;
  testimony: Testimony;
}

/**
 * Why every table must be read whole; undefined when that isn't needed. Throws
 * when the source is a standby that is behind what has been read already, or
 * one of two that are read by turns without being asked for whole.
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
        `Cannot read the source: batch ${previous.batch} is of another database, and batches before it are of this one`,
        {
          subject: "source",
          hint:
            "Do two deployments write into one lake? Give each its own INGESTION_URL and PROCESSED_URL. If the source has moved back for good, run extract once with --full",
        },
      );
    }
    return "the source is another database than in the batch before";
  }
  const told = snapshot.timeline !== 0 && timeline !== 0;
  if (told && snapshot.timeline !== timeline) {
    return `the source's timeline is now ${snapshot.timeline}, it was ${timeline}`;
  }
  if (snapshot.nextId < BigInt(nextId)) {
    if (!snapshot.inRecovery) {
      return "the source was set back to an earlier state";
    }
    throw new StageError(
      `Cannot read the source: it is a standby at transaction ${snapshot.nextId}, batch ${previous.batch} has been read up to ${nextId}`,
      {
        subject: "source",
        retryable: true,
        hint: "Wait until the standby has caught up, or read the primary",
      },
    );
  }
  if (snapshot.nextId - BigInt(fence) > IDS_MAX) {
    return "over 2^30 transactions have passed since the batch before";
  }
  return undefined;
}

/**
 * Whether witnesses tell of a source that was set back although its ids have
 * gone on: one is otherwise, or absent with none as new to vouch that nothing
 * but a delete took it away.
 */
export function witnessFullReadReason(
  heard: readonly HeardWitness[],
): string | undefined {
  const liar = heard.find((one) => one.testimony === "otherwise");
  if (liar !== undefined) {
    return `a row of "${liar.table}" is not as the batch before had it: the source was set back`;
  }
  const vouched = heard
    .filter((one) => one.testimony !== "absent")
    .map((one) => BigInt(one.witness.writer))
    .reduce((newest, writer) => writer > newest ? writer : newest, 0n);
  const missing = heard.find((one) =>
    one.testimony === "absent" && BigInt(one.witness.writer) > vouched
  );
  return missing === undefined
    ? undefined
    : `the newest row of "${missing.table}" is gone: deleted, or the source was set back`;
}

/** Why one table must be read whole; undefined when that isn't needed. */
export function tableFullReadReason(
  table: LiveTable,
  options: { previous: IngestedTable | undefined; contractHash: string },
): string | undefined {
  const { previous, contractHash } = options;
  if (previous === undefined) return "no batch has it yet";
  if (previous.outOfContract) return "the contract lacked it for a while";
  if (previous.contractHash !== contractHash) return "its contract changed";
  if (previous.identity !== table.identity) {
    return "it was rewritten, or another table or column has taken a name";
  }
  return undefined;
}
