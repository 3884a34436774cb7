import type { Model } from "../lib/project/model.ts";
import { inShell } from "../lib/in_shell.ts";
import type { Place } from "./compare_models.ts";

const REBUILD_LAKE = "./totesys rebuild processed";
const REBUILD_WAREHOUSE = "./totesys rebuild warehouse";

/**
 * The tasks that repair the differences in a place, to be run in this order;
 * none when there are none.
 */
export function repairCommands(place: Place, options: {
  model: Pick<Model, "derivation">;
  /** Source tables that would have to be read again. */
  tables: readonly string[];
  /** How keys differ. */
  kinds: readonly string[];
  /** Whether the table, or a view or function of it, has another form. */
  isReshaped?: boolean;
  /** The tasks that repair the lake's rows of this model. */
  lakeRepairs: readonly string[];
  /** Whether its histories in the lake and in the warehouse differ. */
  isHistoryDoubtful?: boolean;
}): string[] {
  const { kinds, isReshaped = false, lakeRepairs, isHistoryDoubtful = false } =
    options;
  if (kinds.length === 0 && !isReshaped) return [];
  if (place === "lake") return lakeRepairCommands(options);
  // Only the extracted batches show which of two histories is right.
  if (isHistoryDoubtful) return [REBUILD_LAKE, REBUILD_WAREHOUSE];
  // A resync loads the model's history again, but drops no column, and
  // recreates no view.
  return lakeRepairs.length > 0 && !isReshaped
    ? [...lakeRepairs]
    : [...new Set([...lakeRepairs, REBUILD_WAREHOUSE])];
}

/** The same tasks where the warehouse has columns that are to be dropped. */
export function acceptingCommands(repairs: readonly string[]): string[] {
  return repairs.map((command) =>
    command === REBUILD_WAREHOUSE ? `${command} --accept` : command
  );
}

/**
 * A full read adds differing rows to the lake. It does not remove a second
 * version of one batch, and adds to a set only what that lacks.
 */
function lakeRepairCommands(options: {
  model: Pick<Model, "derivation">;
  tables: readonly string[];
  kinds: readonly string[];
}): string[] {
  const { model, tables, kinds } = options;
  const needsRebuild = tables.length === 0 || kinds.includes("duplicate") ||
    (model.derivation === "set" && kinds.includes("different"));
  return needsRebuild
    ? [REBUILD_LAKE, REBUILD_WAREHOUSE]
    : tables.map((table) => `./totesys resync ${inShell(table)}`);
}
