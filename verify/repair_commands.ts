import type { Model } from "../lib/project/model.ts";
import type { Place } from "./compare_models.ts";

const REBUILD_LAKE = "deno task rebuild processed";
const REBUILD_WAREHOUSE = "deno task rebuild warehouse";

/**
 * The tasks that mend what differs in a place, to be run in this order; none
 * when nothing does.
 */
export function repairCommands(place: Place, options: {
  model: Pick<Model, "derivation">;
  /** Source tables that would have to be read again. */
  tables: readonly string[];
  /** How keys differ. */
  hows: readonly string[];
  /** Whether the table, or what it is read by, has another form. */
  isReshaped?: boolean;
  /** What mends the lake's rows of this model. */
  lakeWays: readonly string[];
  /** Whether the lake and the warehouse have other histories of it. */
  isHistoryDoubtful?: boolean;
}): string[] {
  const { hows, isReshaped = false, lakeWays, isHistoryDoubtful = false } =
    options;
  if (hows.length === 0 && !isReshaped) return [];
  if (place === "lake") return lakeRepairCommands(options);
  // Nothing says which of two histories is right: what was extracted does.
  if (isHistoryDoubtful) return [REBUILD_LAKE, REBUILD_WAREHOUSE];
  // A resync loads the model's history again, but drops no column, and makes no
  // view again.
  return lakeWays.length > 0 && !isReshaped
    ? [...lakeWays]
    : [...new Set([...lakeWays, REBUILD_WAREHOUSE])];
}

/** The same tasks where the warehouse has columns that are to be dropped. */
export function acceptingCommands(ways: readonly string[]): string[] {
  return ways.map((way) => way === REBUILD_WAREHOUSE ? `${way} --accept` : way);
}

/**
 * A full read adds what differs to the lake. It takes no second version of a
 * batch away, and adds to a set only what that lacks.
 */
function lakeRepairCommands(options: {
  model: Pick<Model, "derivation">;
  tables: readonly string[];
  hows: readonly string[];
}): string[] {
  const { model, tables, hows } = options;
  const needsRebuild = tables.length === 0 || hows.includes("twice") ||
    (model.derivation === "set" && hows.includes("different"));
  return needsRebuild
    ? [REBUILD_LAKE, REBUILD_WAREHOUSE]
    : tables.map((table) => `deno task resync ${table}`);
}
