import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { Warehouse } from "../../visualise/warehouse.ts";
import {
  loaded,
  openWarehouse,
  withoutStream,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";

Deno.test("a hundred viewers share one query", async () => {
  await using platform = await loaded();
  const asked: string[] = [];
  class Watched extends Warehouse {
    override ask(...given: Parameters<Warehouse["ask"]>) {
      const [query] = given;
      asked.push(typeof query === "string" ? query : query.name);
      return super.ask(...given);
    }
  }
  const { settings } = platform.warehouse;
  await using warehouse = new Watched(
    settings,
    platform.context.resources.connect,
  );
  const app = withoutStream(platform, warehouse);
  const paths = [
    "/health",
    "/api/newest",
    "/api/overview/1",
    "/api/rows/sales/1",
    "/api/changes/1",
    "/api/pipeline",
    "/api/batches/1",
    "/api/history/payment/1",
  ];
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => paths).flat()
      .map((path) => app.request(`http://localhost${path}`)),
  );

  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const counts = Map.groupBy(asked, (name) => name);
  // Each of the views that tell of a batch asks for its ledger, and changes for
  // that of the batch since which they were made, too.
  for (const [name, { length }] of counts) {
    assert.ok(length <= (name === "batch" ? 6 : 2), `${name}: ${length}`);
  }
  assert.equal(counts.get("sales")?.length, 1);
  assert.equal(counts.get("changes of fact_payment")?.length, 1);
  assert.equal(counts.get("history of fact_payment")?.length, 1);
});

const PAYMENTS = { name: "payments", text: "select * from fact_payment" };

Deno.test("a query ends at its time limit, and only a few run at once", async () => {
  await using platform = await loaded();
  const { client, settings } = platform.warehouse;
  await using warehouse = openWarehouse(platform, 2_000);
  await execute(client, "begin", "lock fact_payment in access exclusive mode");
  const asked = Array.from(
    { length: 6 },
    () => warehouse.ask(PAYMENTS),
  );
  const ended = Promise.allSettled(asked);
  const waiting = async () => {
    const [row] = await query(
      platform.source.client,
      `select count(*) as count from pg_stat_activity
      where datname = '${settings.database}'
        and application_name like 'totesys dashboard%'
        and wait_event_type = 'Lock'`,
    );
    return Number(row?.count);
  };
  let most = 0;
  let isOver = false;
  ended.then(() => isOver = true);
  while (!isOver) {
    most = Math.max(most, await waiting());
    await new Promise((wake) => setTimeout(wake, 20));
  }
  const results = await ended;
  await execute(client, "rollback");

  assert.equal(most, 4);
  for (const result of results) {
    assert.equal(result.status, "rejected");
    assert.match(String(result.reason), /statement timeout/);
  }
  assert.equal((await warehouse.ask(PAYMENTS)).length, 5);
});

Deno.test("the dashboard works with an analyst's rights", async () => {
  await using platform = await loaded();
  const role = `viewer_${crypto.randomUUID().slice(0, 8)}`;
  const { client, settings } = platform.warehouse;
  await execute(
    client,
    `create role ${role} login password 'a-password' in role analyst`,
  );
  try {
    await using warehouse = new Warehouse(
      { ...settings, user: role, password: "a-password" },
      platform.context.resources.connect,
    );

    for (const name of ["batch", "batch_files"] as const) {
      assert.ok((await warehouse.ask(name, [1])).length > 0, name);
    }
    const app = withoutStream(platform, warehouse);
    const ask = async (path: string) => {
      const answer = await app.request(`http://localhost/api/${path}`);
      assert.equal(answer.status, 200, path);
      return await answer.json();
    };
    const { figures, offered } = await ask("overview/1");
    assert.equal(offered.names.length, 3);
    const { subjects, records } = await ask("company");
    for (const { name } of subjects) {
      assert.ok(figures[name].month.length > 0, name);
      assert.ok((await ask(`rows/${name}/1`)).rows.length > 0, name);
    }
    for (const { name } of records) {
      const { moments, newest } = await ask(`history/${name}/1`);
      assert.ok(moments.length > 0 && newest.length > 0, name);
    }
    assert.ok((await ask("batches/1")).models.length > 0);
    assert.ok((await ask("changes/1")).changes.length > 0);
    assert.ok((await warehouse.ask("columns", [["fact_payment"]])).length > 0);
    assert.ok((await warehouse.ask("freshness")).length > 0);
    assert.deepEqual(await warehouse.ask("batch_findings", [1, 10]), []);
    assert.ok((await warehouse.ask("batches", [10])).length > 0);
    assert.ok((await warehouse.ask("checks")).length > 0);
    assert.deepEqual(await warehouse.ask("verification"), []);
    assert.deepEqual(await warehouse.ask("load_failure"), []);
    assert.deepEqual(await warehouse.ask("quarantine"), [{ rows: "0" }]);
  } finally {
    await execute(client, `drop role ${role}`);
  }
});

Deno.test("a batch shows findings of each check, whatever others found", async () => {
  await using platform = await loaded();
  await execute(
    platform.warehouse.client,
    `insert into pipeline.finding (batch, check_name, severity, key, finding)
    select 1, 'a_check', 'warning', n::text, '{}'
    from generate_series(1, 300) as n
    union all select 1, 'last_check', 'warning', 'one', '{}'`,
  );
  await using warehouse = openWarehouse(platform);

  const rows = await warehouse.ask("batch_findings", [1, 200]);

  const checks = rows.map(({ check_name }) => check_name);
  assert.equal(rows.length, 200);
  assert.equal(rows[0]?.total, "301");
  assert.deepEqual([...new Set(checks)], ["a_check", "last_check"]);
});
