import { counted } from "../../lib/counted.ts";
import type { Logger } from "@logtape/logtape";
import type pg from "pg";
import {
  messageOf,
  StageError,
  type StageErrorOptions,
} from "../../lib/errors.ts";
import { inTransaction, query, sqlState } from "../../lib/postgres/postgres.ts";
import type { TextRow } from "../../lib/sql/quote.ts";
import { severityOf, type SqlFile } from "../../lib/project/project_sql.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";
import {
  type CheckedModel,
  createChecked,
  dropChecked,
} from "./checked_rows.ts";

/** This many findings of one check are recorded; all are counted. */
const FINDINGS_MAX = 1000;
const NOTE_LOCK_TIMEOUT = "10s";
const FOUND_SQL = `select count(*) as findings, min(key) as key,
  (array_agg(finding order by key))[1] as finding from wrong`;

/**
 * Runs the checks of a model on the keys that these batches touched, inside the
 * transaction that loads them, and records their results. Warnings are recorded
 * one by one and reported; the first broken rule of severity `error` ends the
 * load.
 */
export async function runChecks(
  client: pg.Client,
  options: {
    table: WarehouseTable;
    checks: readonly SqlFile[];
    /** The events of this load; undefined: the whole table is new. */
    staging: string | undefined;
    batch: number;
    log: Logger;
  },
): Promise<void> {
  const { table: { model }, checks, staging, batch, log } = options;
  if (checks.length === 0) return;
  await createChecked(client, model, staging);
  const results: CheckResult[] = [];
  for (const check of checks) {
    const { first, ...result } = await runCheck(client, check, batch);
    results.push(result);
    const { severity, findings } = result;
    if (findings === 0) continue;
    if (severity === "warning") {
      log.warn("check {check}: {findings} findings, the first {key}: {first}", {
        check: check.name,
        findings,
        key: first?.key,
        first: first?.finding,
        batch,
      });
      continue;
    }
    throw new CheckFailedError(
      `Cannot load batch ${batch}: check ${check.name} found ${
        counted(findings, "rows")
      } of "${model.name}" wrong, the first ${first?.key}: ${first?.finding}`,
      {
        subject: check.name,
        dataCheck: true,
        hint: hintOn(check),
      },
      result,
    );
  }
  await note(client, results);
  await dropChecked(client, model, staging);
}

/** Removes the results of checks that no model has any more. */
export async function forgetOtherChecks(
  client: pg.Client,
  checks: readonly SqlFile[],
): Promise<void> {
  await client.query(
    "delete from pipeline.check_result where check_name <> all($1)",
    [checks.map(({ name }) => name)],
  );
}

/** Runs a check; records its findings, and returns the first. */
async function runCheck(
  client: pg.Client,
  check: SqlFile,
  batch: number,
): Promise<CheckResult & { first: TextRow | undefined }> {
  const severity = knownSeverity(check);
  const result = { check: check.name, rule: ruleOf(check), severity, batch };
  // Of whole tables it may have parallel workers, as long as it doesn't write.
  const isBroken = (await findWrong(client, check))?.findings !== "0";
  if (!isBroken) return { ...result, findings: 0, first: undefined };
  const first = await findWrong(client, check, {
    sql: `, written as (
      insert into pipeline.finding
        (batch, check_name, severity, key, finding)
      select $1::bigint, $2::text, $3::text, key::text, finding::text
      from wrong
      limit ${FINDINGS_MAX}
    )`,
    values: [batch, check.name, severity],
  });
  return { ...result, findings: Number(first?.findings ?? 0), first };
}

/**
 * SQLSTATE classes of a check that names something missing, such as a dropped
 * column, or whose expressions fail on the values.
 */
const UNREADABLE = ["21", "22", "42"];

/** The error that names such a check, which has to be repaired. */
function unreadable(error: unknown, check: SqlFile): StageError | undefined {
  const state = sqlState(error) ?? "";
  if (!UNREADABLE.includes(state.slice(0, 2)) || state === "42501") {
    return undefined;
  }
  return new StageError(
    `Cannot run the check ${check.name}: ${messageOf(error)}`,
    {
      subject: check.name,
      hint: `Fix sql/checks/${check.name}.sql`,
      cause: error,
    },
  );
}

/** The result of a check. */
interface CheckResult {
  check: string;
  rule: string;
  severity: "error" | "warning";
  batch: number;
  findings: number;
}

/** A rule of severity `error` is broken. */
class CheckFailedError extends StageError {
  constructor(
    message: string,
    options: StageErrorOptions,
    readonly result: CheckResult,
  ) {
    super(message, options);
  }
}

/**
 * Records the check that ended a load, if one did: what it had written was
 * rolled back with the load.
 */
export async function noteFailedCheck(
  client: pg.Client,
  error: unknown,
): Promise<void> {
  if (!(error instanceof CheckFailedError)) return;
  // The load has failed anyway, and says why.
  await inTransaction(
    client,
    { settings: { lock_timeout: NOTE_LOCK_TIMEOUT } },
    () => note(client, [error.result]),
  ).catch(() => {});
}

async function note(
  client: pg.Client,
  results: readonly CheckResult[],
): Promise<void> {
  await client.query(
    `insert into pipeline.check_result
      (check_name, rule, severity, batch, findings)
    select "check", rule, severity, batch, findings
    from jsonb_to_recordset($1) as result
      ("check" text, rule text, severity text, batch bigint, findings bigint)
    on conflict (check_name) do update set
      (rule, severity, batch, checked_at, findings) = (
        select excluded.rule, excluded.severity, excluded.batch,
          excluded.checked_at, excluded.findings
      )`,
    [JSON.stringify(results)],
  );
}

/** A rule that some rows of a table break. */
export interface BrokenRule {
  check: string;
  severity: "error" | "warning";
  findings: number;
  /** The first of them. */
  key: string;
  finding: string;
  /** Where the rule is stated. */
  hint: string;
}

/**
 * Runs the checks of a model on its whole table, and returns the broken rules;
 * nothing is recorded.
 */
export async function runWholeChecks(
  client: pg.Client,
  options: { model: CheckedModel; checks: readonly SqlFile[] },
): Promise<BrokenRule[]> {
  const { model, checks } = options;
  if (checks.length === 0) return [];
  const broken: BrokenRule[] = [];
  await createChecked(client, model);
  for (const check of checks) {
    const found = await findWrong(client, check);
    if (found?.findings === "0") continue;
    broken.push({
      check: check.name,
      severity: knownSeverity(check),
      findings: Number(found?.findings),
      key: found?.key ?? "",
      finding: found?.finding ?? "",
      hint: hintOn(check),
    });
  }
  await dropChecked(client, model);
  return broken;
}

/** Runs a check: how many rows are wrong, and the first of them. */
async function findWrong(
  client: pg.Client,
  check: SqlFile,
  then: { sql: string; values: (string | number)[] } = { sql: "", values: [] },
): Promise<TextRow | undefined> {
  try {
    const [found] = await query(
      client,
      `with wrong as materialized (select * from (${check.text}) as rows)
      ${then.sql} ${FOUND_SQL}`,
      then.values,
    );
    return found;
  } catch (error) {
    throw unreadable(error, check) ?? error;
  }
}

/** The first paragraph of a check's header, as people read it. */
function ruleOf(check: SqlFile): string {
  const [header = ""] = /^(-- .+\n)+/.exec(check.text) ?? [];
  return header.replaceAll(/^-- /gm, "").trim().replaceAll("\n", " ");
}

function hintOn(check: SqlFile): string {
  if (check.isGenerated !== true) {
    return `sql/checks/${check.name}.sql says what the rule is and why`;
  }
  const advice = severityOf(check) === "error"
    ? "Others changed the tables or the ledger, or they are from different backups: `./totesys rebuild warehouse` makes them what the lake holds"
    : 'See "Load" in docs/design.md';
  return `${ruleOf(check)} ${advice}`;
}

function knownSeverity(check: SqlFile): "error" | "warning" {
  const severity = severityOf(check);
  if (severity !== undefined) return severity;
  throw new StageError(
    `Cannot run the check ${check.name}: its header has no severity`,
    {
      subject: check.name,
      hint: "Write `-- Severity: error` or `-- Severity: warning`",
    },
  );
}
