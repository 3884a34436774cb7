import assert from "node:assert/strict";
import { join } from "node:path";
import type pg from "pg";
import { readDashboard } from "../../lib/project/dashboard.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import {
  batchModelsSql,
  changesSql,
} from "../../visualise/records/record_history_sql.ts";
import { figuresSql } from "../../visualise/figures/figures_sql.ts";
import { boardsOf } from "../../visualise/figures/subject_sql.ts";
import { PROJECT_SQL } from "../harness/platform.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";
import { fillWarehouse } from "../harness/companies/year_of_versions.ts";

/** Later than what a view shows of batches, and a check's findings. */
const YOUNG = 12_000;
const OLD = 35_000;
const GROWTH_MAX = 1.2;
/** Trees of indexes are higher by then: so many pages more. */
const PAGES_MORE = 20;

const MODELS = PROJECT_SQL.models.filter(({ derivation }) =>
  derivation !== "set"
);

type Value = string | number | null | string[];

/** What is asked of a warehouse, as of its newest batch, with its values. */
function queries(newest: number): Record<string, Value[]> {
  return {
    "operate/status.sql": [],
    "operate/newest_verification.sql": [],
    "verify/due_since.sql": [],
    "visualise/sql/newest.sql": [],
    "visualise/sql/freshness.sql": [],
    "visualise/sql/batches.sql": [200],
    "visualise/sql/checks.sql": [],
    "visualise/sql/verification.sql": [],
    "visualise/sql/batch.sql": [newest],
    "visualise/sql/ledger_after.sql": [newest - 1, null],
    "visualise/sql/batch_files.sql": [newest],
    "visualise/sql/batch_findings.sql": [newest, 200],
    "visualise/sql/batch_at.sql": ["2000-01-01"],
    "visualise/sql/batch_before.sql": ["2000-01-01", ["1 year", "1 day"]],
    "lib/batches/load_failure.sql": [],
    "visualise/sql/quarantine.sql": [],
    "visualise/sql/columns.sql": [MODELS.map(({ name }) => name)],
  };
}

/** All queries with their names and values. */
function asked(newest: number): [string, string, Value[]][] {
  const files = Object.entries(queries(newest));
  return [
    ...files.map(([file, values]): [string, string, Value[]] => [
      file,
      Deno.readTextFileSync(join(platformDirectory(), file)),
      values,
    ]),
    ...generated(newest),
  ];
}

/** What the dashboard generates for each subject and model. */
function generated(newest: number): [string, string, Value[]][] {
  const nothing = (filters: number) => Array<null>(filters).fill(null);
  return [
    ...readDashboard(PROJECT_SQL).subjects.flatMap(
      (subject): [string, string, Value[]][] => {
        const names = nothing(boardsOf(subject).length);
        const text = figuresSql(subject);
        const at = [newest, null, null, "2024-11-04"];
        return [
          [subject.name, text, [...at, "[]", newest - 1, 12, ...names]],
          // Before any totals are known.
          [`first ${subject.name}`, text, [...at, null, null, 12, ...names]],
        ];
      },
    ),
    ["batch_models", batchModelsSql(PROJECT_SQL.models), [newest]],
    ...MODELS.map((model): [string, string, Value[]] => [
      `changes of ${model.name}`,
      changesSql(model),
      [newest - 1, newest, 201],
    ]),
  ];
}

Deno.test("queries of status and the dashboard read as many pages after a year of batches as at its start", async () => {
  await using young = await openTestDatabase();
  await using old = await openTestDatabase();
  await fillWarehouse(young.client, YOUNG);
  await fillWarehouse(old.client, OLD);
  const before = asked(YOUNG);

  const grown: string[] = [];
  for (const [index, [name, text, values]] of asked(OLD).entries()) {
    const first = await pagesOf(young.client, text, before[index]?.[2] ?? []);
    const most = GROWTH_MAX * first + PAGES_MORE;
    let last = await pagesOf(old.client, text, values);
    if (last > most) {
      // Another test's session may have kept the vacuum from its work.
      await old.client.query("vacuum analyze");
      last = await pagesOf(old.client, text, values);
    }
    if (last > most) {
      grown.push(`${name}: ${first} pages, then ${last}`);
    }
  }

  assert.deepEqual(grown, []);
});

/** The pages that a query reads. */
async function pagesOf(
  client: pg.Client,
  sql: string,
  values: Value[],
): Promise<number> {
  const { rows: [row] } = await client.query(
    `explain (analyze, buffers, format json) ${sql}`,
    values,
  );
  const { Plan: plan } = row["QUERY PLAN"][0];
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}
