import type pg from "pg";
import {
  inTransaction,
  query,
  relationExists,
} from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import type { BrokenRule } from "../load/checks/run_checks.ts";
import type { Comparison } from "./compare_models.ts";
import { describeKeys } from "./describe_keys.ts";
import dueSinceSql from "./due_since.sql" with { type: "text" };

/** The result of a verification. */
export interface Verification {
  /** The batch that was compared, from a snapshot taken for it. */
  batch: number;
  snapshotTime: string;
  seconds: number;
  comparisons: readonly Comparison[];
  /** Rules of `sql/checks` that the tables, as a whole, break. */
  brokenRules: readonly BrokenRule[];
  /** Whether lake and warehouse hold what the source has, and nothing else. */
  same: boolean;
}

const MS_PER_HOUR = 3_600_000;

/**
 * Records a verification in the warehouse: a row for each comparison, and one
 * under the name of each check whose rule of severity `error` is broken.
 */
export async function writeVerification(
  client: pg.Client,
  verification: Verification,
): Promise<void> {
  const { batch, snapshotTime, comparisons, brokenRules } = verification;
  const broken = brokenRules.filter(({ severity }) => severity === "error");
  const rows = [
    ...comparisons.map((one) => ({
      model: one.model,
      place: one.place,
      rows: one.rows,
      differences: one.differences,
      first_keys: describeKeys(one) || null,
    })),
    ...broken.map(({ check, findings, key, finding }) => ({
      model: check,
      place: "warehouse",
      rows: null,
      differences: findings,
      first_keys: `${key}: ${finding}`,
    })),
  ];
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
 * When the warehouse was last verified, or first loaded where it never was;
 * undefined when nothing is loaded, or it can't be verified yet.
 */
export async function lastVerified(
  client: pg.Client,
): Promise<Date | undefined> {
  const [found] = await relationExists(client, "pipeline.verification")
    ? await query(client, dueSinceSql)
    : [];
  return found?.since ? new Date(found.since) : undefined;
}

/**
 * Whether that is longer ago than `VERIFY_EVERY_HOURS`. This is read from the
 * warehouse, so that a restart neither skips nor repeats a verification.
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
  const since = await inTransaction(
    client,
    { readOnly: true },
    () => lastVerified(client),
  );
  if (since === undefined) return false;
  const ageMs = clock().getTime() - since.getTime();
  return ageMs >= config.verifyEveryHours * MS_PER_HOUR;
}
