import type {
  IngestedTable,
  IngestionManifest,
} from "../lib/batches/manifest.ts";
import { StageError } from "../lib/errors.ts";
import type { StageContext } from "../lib/stage.ts";

/** The share is not asked about for fewer deletes than this. */
const MASS_DELETE_ROWS_MIN = 10;

/**
 * Throws a `StageError` when more of a table is gone than the configured share:
 * a truncated source is more often an accident than meant.
 */
export function checkDeletes(
  tables: [string, IngestedTable][],
  options: {
    previous: IngestionManifest | undefined;
    config: StageContext["config"];
  },
): void {
  const { previous, config } = options;
  for (const [name, table] of tables) {
    const { digest, sourceRows: before = 0 } = previous?.tables[name] ?? {};
    const listed = table.deletes.reduce((sum, file) => sum + file.rows, 0);
    // Keys that were declared differently don't compare: their number does.
    const deleted = digest?.key === table.digest.key
      ? listed
      : Math.max(listed, before - table.sourceRows);
    if (deleted < MASS_DELETE_ROWS_MIN) continue;
    if (deleted <= before * config.deleteShareMax) continue;
    throw new StageError(
      `Cannot take over the deletes of "${name}": ${deleted} of its ${before} rows are gone, more than the share of ${config.deleteShareMax} that is allowed`,
      {
        subject: name,
        dataCheck: true,
        hint:
          "If they were meant to go, run extract once with --allow-mass-delete; if not, restore the source",
      },
    );
  }
}
