import type { BatchLog } from "../../lib/batches/batch_log.ts";
import { currentColumns } from "../../lib/batches/key_columns.ts";
import { isOfSameSql } from "../../lib/batches/same_sql.ts";
import {
  type IngestedTable,
  type IngestionManifest,
  type ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import type { GroupBounds, StageContext } from "../../lib/stage.ts";
import { extractedOf } from "./make_batch.ts";
import { changedTables } from "../tables/quarantine.ts";
import { tableFiles } from "../tables/table_state.ts";
import { manifestSha256 } from "../../lib/batches/encode_manifest.ts";
import { sum } from "../../lib/batches/sum.ts";

/**
 * A group holds the tables that joined models read, and makes those models as a
 * whole for each batch: where a table has more rows, batches made one by one
 * cost less, since they look only at what changed.
 */
const JOINED_ROWS_MAX = 200_000;

/**
 * A batch of a group. It has no buckets of keys, which only extract needs: each
 * manifest has as many as its source is large.
 */
export interface GroupCandidate extends IngestionManifest {
  /** The checksum of the manifest with its buckets. */
  inputSha256: string;
}

/** The next batches that can be made alike, as many as the bounds allow. */
export async function groupCandidates(
  { sql, config }: StageContext,
  options: {
    input: BatchLog<IngestionManifest>;
    /** The batch before them, as it was made. */
    previous: ProcessedManifest;
    last: IngestionManifest;
    bounds: GroupBounds;
  },
): Promise<GroupCandidate[]> {
  const { input, previous, last, bounds } = options;
  // The first batch of other SQL brings what new joins lack.
  const isHeld = !isOfSameSql(previous, sql) ||
    previous.postponed !== undefined ||
    previous.quarantined > config.quarantineRowsMax;
  if (isHeld) return [];
  const joinedRows = ({ name }: ContractTable) =>
    sum(tableFiles(previous.state, name), "rows");
  const from = previous.batch + 1;
  const to = Math.min(last.batch, from + bounds.batchesMax - 1);
  const layouts = new Map<string, string>();
  const found: GroupCandidate[] = [];
  let bytes = 0;
  for await (const next of input.range({ from, to })) {
    bytes += extractedOf(next).bytes;
    if (bytes > bounds.bytesMax) break;
    const changed = changedTables(next);
    const isLike = sql.tables.every((table) => {
      const ingested = changed.get(table.name);
      if (ingested === undefined) return true;
      if (
        ingested.fullRead !== undefined || joinedRows(table) > JOINED_ROWS_MAX
      ) {
        return false;
      }
      const layout = layoutOf(table, ingested);
      const known = layouts.get(table.name) ?? layout;
      layouts.set(table.name, known);
      return known === layout;
    });
    if (!isLike) break;
    found.push(withoutBuckets(next));
  }
  return found;
}

function withoutBuckets(next: IngestionManifest): GroupCandidate {
  const tables = Object.entries(next.tables).map(([name, table]) => [
    name,
    { ...table, digest: { ...table.digest, buckets: [] } },
  ]);
  return {
    ...next,
    tables: Object.fromEntries(tables),
    inputSha256: manifestSha256(next),
  };
}

/** Files with the same columns can be read together. */
function layoutOf(table: ContractTable, ingested: IngestedTable): string {
  return JSON.stringify(currentColumns(ingested, table.key));
}
