import assert from "node:assert/strict";
import { readDashboard } from "../../../lib/project/dashboard.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { Figures } from "../../../visualise/figures/figures.ts";
import { Timeline, type Trail } from "../../../visualise/figures/timeline.ts";
import { hasTrail } from "../../../visualise/figures/batch_changes_sql.ts";
import { loaded, openWarehouse } from "../../harness/browser/dashboard.ts";
import { execute, type Platform, PROJECT_SQL } from "../../harness/platform.ts";
import { insertOrder } from "../../harness/companies/small_source.ts";

const { subjects } = readDashboard(PROJECT_SQL);
const BATCHES = [
  [
    insertOrder(50),
    "update sales_order set units_sold = 777 where sales_order_id = 1",
  ],
  [
    "delete from sales_order where sales_order_id = 2",
    "update sales_order set currency_id = 2 where sales_order_id = 50",
  ],
  [insertOrder(2), "update purchase_order set item_quantity = 1"],
];

/** What a page adds up: the figures of each month as of a batch. */
function monthsAt({ columns, measures, rows }: Trail, batch: number) {
  const keys = columns.length - measures;
  const sums = new Map<string, number[]>();
  for (const row of rows.filter(([last]) => Number(last) <= batch)) {
    const key = row.slice(1, keys).join();
    const sum = sums.get(key) ?? Array(measures).fill(0);
    sums.set(key, sum.map((one, index) => one + Number(row[keys + index])));
  }
  const cents = (one: number) => Math.round(one * 100) / 100;
  return [...sums].map(([key, sum]) => `${key}: ${sum.map(cents)}`)
    .filter((line) => !line.endsWith(": 0,0,0")).toSorted();
}

async function monthsByFigures(platform: Platform, batch: number) {
  await using warehouse = openWarehouse(platform);
  const timed = subjects.filter(hasTrail);
  const figures = await new Figures(warehouse).read(
    { batch, day: "2023-06-01" },
    { from: null, to: null },
    timed,
  );
  return timed.map(({ name, measures }) =>
    (figures[name]?.month ?? []).map((row) =>
      `${row.month},${row.currency}: ${
        measures.map((one) => Number(row[one.name]))
      }`
    ).toSorted()
  );
}

Deno.test("Timeline has each batch's changes, and reads only new batches", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const timeline = new Timeline(warehouse);
  const timed = subjects.filter(hasTrail);
  assert.deepEqual(timed.map(({ name }) => name), ["sales", "purchases"]);
  for (const [index, changes] of BATCHES.entries()) {
    await execute(platform.source.client, ...changes);
    await platform.run();
    const spans = await timeline.spans();
    assert.deepEqual(
      spans.map(({ batch }) => batch),
      Array.from({ length: index + 2 }, (_, batch) => batch + 1),
    );
    const trails = await Promise.all(timed.map((one) => timeline.trail(one)));
    for (const { batch } of spans) {
      assert.deepEqual(
        trails.map((trail) => monthsAt(trail, batch)),
        await monthsByFigures(platform, batch),
        `batch ${batch} of ${spans.length}`,
      );
    }
    assert.deepEqual(
      await Promise.all(timed.map((one) => new Timeline(warehouse).trail(one))),
      trails,
    );
  }
});

Deno.test("Timeline has the changes of a subject without splits", async () => {
  await using platform = await loaded();
  await using warehouse = openWarehouse(platform);
  const [sales] = subjects.filter(hasTrail)
    .map((one) => ({ ...one, dimensions: [] }));
  assert(sales !== undefined);

  const trail = await new Timeline(warehouse).trail(sales);

  const { columns, rows } = trail;
  assert.deepEqual(columns.slice(0, 3), ["batch", "month", "orders"]);
  assert.deepEqual(
    rows.map((row) => row[2]),
    (await query(
      platform.warehouse.client,
      `select count(*) as orders from fact_sales_order_current
      group by date_trunc('month', created_date)
      order by date_trunc('month', created_date)`,
    )).map(({ orders }) => orders),
  );
});

Deno.test("Timeline has the checks' findings, and each load's delay", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, ...BATCHES[0] ?? []);
  await platform.run();
  await execute(
    platform.warehouse.client,
    `insert into pipeline.finding (batch, check_name, severity, key, finding)
      values (2, 'a', 'warning', '{}', ''), (2, 'b', 'warning', '{}', '')`,
    `update pipeline.batch set snapshot_time = loaded_at - interval '2 hours'
      where batch = 2`,
  );
  await using warehouse = openWarehouse(platform);

  const spans = await new Timeline(warehouse).spans();

  assert.deepEqual(spans.map(({ found }) => found), [0, 2]);
  assert.ok((spans[0]?.behind ?? 0) < 60, `${spans[0]?.behind} s`);
  assert.equal(spans[1]?.behind, 7_200);
});

Deno.test("Timeline has at most 200 spans, with the same sums", async () => {
  await using platform = await loaded();
  await execute(platform.source.client, ...BATCHES[0] ?? []);
  await platform.run();
  await using warehouse = openWarehouse(platform);
  const timeline = new Timeline(warehouse);
  const [sales] = subjects;
  assert.ok(sales !== undefined);
  const before = await timeline.trail(sales);
  const rows = (await timeline.spans()).reduce((sum, one) => sum + one.rows, 0);
  await execute(
    platform.warehouse.client,
    `insert into pipeline.batch select batch, now(), now(), run_id,
      input_sha256, 1, 0, transform_hash, lake_id
    from (select run_id, input_sha256, transform_hash, lake_id
      from pipeline.batch where batch = 2) as model
    cross join generate_series(3, 450) as batch`,
  );
  const spans = await timeline.spans();
  const after = await timeline.trail(sales);

  assert.deepEqual(
    [spans.length, spans[0]?.batch, spans.at(-1)?.batch],
    [113, 4, 450],
  );
  assert.equal(spans.reduce((sum, one) => sum + one.rows, 0), rows + 448);
  // Closer, they are the same.
  const closer = { after: 4, to: 12 };
  const within = await timeline.spansOf(closer);
  assert.deepEqual(
    within.map(({ batch, rows }) => [batch, rows]),
    [5, 6, 7, 8, 9, 10, 11, 12].map((batch) => [batch, 1]),
  );
  const all = await timeline.spansOf({ after: 0, to: 450 });
  assert.deepEqual([all.length, all[0]?.batch, all.at(-1)?.batch], [
    150,
    3,
    450,
  ]);
  const trail = await timeline.trailOf(sales, { after: 1, to: 450 });
  const first = await timeline.trailOf(sales, { after: 0, to: 1 });
  assert.deepEqual(
    monthsAt({ ...trail, rows: [...first.rows, ...trail.rows] }, 450),
    monthsAt(after, 450),
  );
  assert.deepEqual(monthsAt(after, 450), monthsAt(before, 2));
  assert.deepEqual(
    await new Timeline(warehouse).spans(),
    spans,
  );
  // As after a rebuild: also what is being read is forgotten.
  const reading = timeline.spans();
  timeline.forget();
  await reading;
  await execute(
    platform.warehouse.client,
    "delete from pipeline.batch where batch > 2",
  );
  timeline.forget();
  assert.equal((await timeline.spans()).length, 2);
});
