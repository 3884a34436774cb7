import type {
  IngestedTable,
  IngestionManifest,
} from "../lib/batches/manifest.ts";
import { StageError } from "../lib/errors.ts";
import type { StageContext } from "../lib/stage.ts";
import { sum } from "../lib/batches/sum.ts";

/** The share is not checked for fewer deletes than this. */
const MASS_DELETE_ROWS_MIN = 10;

/**
 * Throws a `StageError` when more than the configured share of a table is gone:
 * a truncated source is more often an accident than intended.
 */
export function limitMassDeletes(
  tables: [string, IngestedTable][],
  options: {
    previous: IngestionManifest | undefined;
    config: StageContext["config"];
  },
): void {
  const { previous, config } = options;
  for (const [name, table] of tables) {
    const { digest, sourceRows: before = 0 } = previous?.tables[name] ?? {};
    const listed = sum(table.deletes, "rows");
    // Keys of another declaration can't be compared, but their number can.
    const deleted = digest?.key === table.digest.key
      ? listed
      : Math.max(listed, before - table.sourceRows);
    if (deleted < MASS_DELETE_ROWS_MIN) continue;
    if (deleted <= before * config.deleteShareMax) continue;
    throw new StageError(
      `Cannot apply the deletes of "${name}": ${deleted} of its ${before} rows are gone, and DELETE_SHARE_MAX is ${config.deleteShareMax}`,
      {
        subject: name,
        dataCheck: true,
        hint:
          "If the rows were deleted on purpose, run extract once with --allow-mass-delete; if not, restore the source",
      },
    );
  }
}
