import type pg from "pg";
import { inTransaction, query } from "../lib/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import type { BrokenRule } from "../load/run_checks.ts";
import { type Comparison, describeKeys } from "./compare_models.ts";
import dueSinceSql from "./due_since.sql" with { type: "text" };

/** What came of a verification. */
export interface Verification {
  /** The batch that was compared: of a snapshot taken for it. */
  batch: number;
  snapshotTime: string;
  seconds: number;
  comparisons: readonly Comparison[];
  /** Rules of `sql/checks` that the whole tables break. */
  brokenRules: readonly BrokenRule[];
  /** Whether lake and warehouse hold what the source has, and no more. */
  same: boolean;
}

const MS_PER_HOUR = 3_600_000;

/** Writes what came of a verification into the warehouse. */
export async function writeVerification(
  client: pg.Client,
  verification: Verification,
): Promise<void> {
  const { batch, snapshotTime, comparisons } = verification;
  const rows = comparisons.map((one) => ({
    model: one.model,
    place: one.place,
    rows: one.rows,
    differences: one.differences,
    first_keys: describeKeys(one) || null,
  }));
  await inTransaction(client, {}, () =>
    client.query(
      `insert into pipeline.verification (batch, snapshot_time, model, place,
      rows, differences, first_keys)
    select $1::bigint, $2::timestamptz, model, place, rows, differences,
      first_keys
    from jsonb_to_recordset($3::jsonb) as comparison (
      model text, place text, rows bigint, differences bigint, first_keys text
    )`,
      [batch, snapshotTime, JSON.stringify(rows)],
    ));
}

/**
 * Whether the newest verification, or the first load where there is none, is
 * longer ago than `VERIFY_EVERY_HOURS`. The warehouse tells, so that a restart
 * neither skips nor repeats one.
 */
export async function isVerificationDue(
  context: StageContext,
): Promise<boolean> {
  const { config, resources, clock, signal } = context;
  if (config.verifyEveryHours === 0 || config.warehouse === undefined) {
    return false;
  }
  await using connection = await resources.connect(config.warehouse, {
    purpose: "verify",
    signal,
  });
  const { client } = connection;
  const [table] = await query(
    client,
    "select to_regclass('pipeline.verification') as name",
  );
  if (!table?.name) return false;
  const [found] = await inTransaction(
    client,
    { readOnly: true },
    () => query(client, dueSinceSql),
  );
  if (!found?.since) return false;
  const ageMs = clock().getTime() - Date.parse(found.since);
  return ageMs >= config.verifyEveryHours * MS_PER_HOUR;
}
