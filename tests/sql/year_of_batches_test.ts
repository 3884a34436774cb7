import assert from "node:assert/strict";
import { join } from "node:path";
import type pg from "pg";
import { projectDirectory } from "../../lib/project_directory.ts";
import { openTestDatabase } from "../harness/postgres.ts";
import { fillWarehouse } from "../harness/year_of_versions.ts";

/** Later than what a view shows of batches, and a check's findings. */
const YOUNG = 12_000;
const OLD = 35_000;
const GROWTH_MAX = 1.2;
/** Trees of indexes are higher by then: so many pages more. */
const PAGES_MORE = 20;

type Value = string | number | null;

/** What is asked of a warehouse, as of its newest batch, with its values. */
function queries(newest: number): Record<string, Value[]> {
  const nothing = (filters: number) => Array<null>(filters).fill(null);
  const known = [newest, ...nothing(3), "[]", newest - 1];
  return {
    "operate/status.sql": [],
    "operate/failure.sql": [],
    "operate/newest_verification.sql": [],
    "verify/due_since.sql": [],
    "sql/dashboard/newest.sql": [],
    "sql/dashboard/freshness.sql": [],
    "sql/dashboard/batches.sql": [200],
    "sql/dashboard/checks.sql": [],
    "sql/dashboard/verification.sql": [],
    "sql/dashboard/batch.sql": [newest],
    "sql/dashboard/batch_models.sql": [newest],
    "sql/dashboard/batch_files.sql": [newest],
    "sql/dashboard/batch_findings.sql": [newest, 200],
    "sql/dashboard/counterparties.sql": [newest],
    "sql/dashboard/changes.sql": [newest - 1, newest, 201],
    "sql/dashboard/batch_at.sql": ["2000-01-01"],
    "sql/dashboard/load_failure.sql": [],
    "sql/dashboard/quarantine.sql": [],
    "sql/dashboard/sales.sql": [...known, ...nothing(4)],
    "sql/dashboard/purchases.sql": [...known, ...nothing(3)],
    "sql/dashboard/payments.sql": known,
    // Before any totals are known.
    "first sql/dashboard/sales.sql": [newest, ...nothing(9)],
    "first sql/dashboard/purchases.sql": [newest, ...nothing(8)],
    "first sql/dashboard/payments.sql": [newest, ...nothing(5)],
  };
}

Deno.test("what status and the dashboard ask reads as many pages after a year of batches as at its start", async () => {
  await using young = await openTestDatabase();
  await using old = await openTestDatabase();
  await fillWarehouse(young.client, YOUNG);
  await fillWarehouse(old.client, OLD);
  const before = queries(YOUNG);

  const grown: string[] = [];
  for (const [name, values] of Object.entries(queries(OLD))) {
    const file = name.replace("first ", "");
    const first = await pagesOf(young.client, file, before[name] ?? []);
    const most = GROWTH_MAX * first + PAGES_MORE;
    let last = await pagesOf(old.client, file, values);
    if (last > most) {
      // Another test's session may have kept the vacuum from its work.
      await old.client.query("vacuum analyze");
      last = await pagesOf(old.client, file, values);
    }
    if (last > most) {
      grown.push(`${name}: ${first} pages, then ${last}`);
    }
  }

  assert.deepEqual(grown, []);
});

/** The pages that a query of a file reads. */
async function pagesOf(
  client: pg.Client,
  file: string,
  values: Value[],
): Promise<number> {
  const sql = await Deno.readTextFile(join(projectDirectory(), file));
  const { rows: [row] } = await client.query(
    `explain (analyze, buffers, format json) ${sql}`,
    values,
  );
  const { Plan: plan } = row["QUERY PLAN"][0];
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}
