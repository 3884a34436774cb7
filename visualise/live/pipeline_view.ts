import { sqlState } from "../../lib/postgres/postgres.ts";
import type { TextRow } from "../../lib/sql/quote.ts";
import { joinStages, type ReadZones, type StageState } from "./stage_states.ts";
import type { Warehouse } from "../warehouse.ts";

/** The data of the pipeline's view. */
export interface Pipeline {
  /** The ledger's row of the newest batch; undefined before the first load. */
  newest: TextRow | undefined;
  stages: StageState[];
  freshness: TextRow[];
  batches: TextRow[];
  checks: TextRow[];
  verification: TextRow[];
  /** The number of rows in quarantine; null if that can't be read. */
  quarantined: number | null;
}

const BATCHES_MAX = 200;
/** No such table, or no right to read it: what a new release has added. */
const LACKING_STATES = ["42P01", "42501"];

/** Reads where the pipeline stands: the warehouse's own account, and zones. */
export async function readPipeline(
  warehouse: Warehouse,
  { newest, readZones }: { newest: TextRow | undefined; readZones: ReadZones },
): Promise<Pipeline> {
  if (newest === undefined) {
    return {
      newest,
      stages: await readStages(warehouse, { newest, readZones }),
      freshness: [],
      batches: [],
      checks: [],
      verification: [],
      quarantined: null,
    };
  }
  const [
    stages,
    freshness,
    batches,
    checks,
    verification,
    quarantine,
  ] = await Promise.all([
    readStages(warehouse, { newest, readZones }),
    warehouse.ask("freshness"),
    warehouse.ask("batches", [BATCHES_MAX]),
    warehouse.ask("checks"),
    warehouse.ask("verification"),
    orNothing(warehouse.ask("quarantine")),
  ]);
  const [rows] = quarantine;
  return {
    newest,
    stages,
    freshness,
    batches,
    checks,
    verification,
    quarantined: rows === undefined ? null : Number(rows.rows),
  };
}

/** Reads where the stages stand, without the rest. */
export async function readStages(
  warehouse: Warehouse,
  { newest, readZones }: { newest: TextRow | undefined; readZones: ReadZones },
): Promise<StageState[]> {
  const [zones, failures] = await Promise.all([
    readZones(),
    newest === undefined ? [] : orNothing(warehouse.ask("load_failure")),
  ]);
  return joinStages(zones, { newest, failure: failures[0] });
}

async function orNothing(answer: Promise<TextRow[]>): Promise<TextRow[]> {
  return await answer.catch((error) => {
    if (LACKING_STATES.includes(sqlState(error) ?? "")) return [];
    throw error;
  });
}
