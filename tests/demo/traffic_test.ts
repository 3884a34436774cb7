import assert from "node:assert/strict";
import type { Client } from "pg";
import { TRADE_END } from "../../demo/fill.ts";
import { runTraffic, type TrafficEvent } from "../../demo/traffic.ts";
import { startSource } from "./source.ts";

const WAIT_MS_MAX = 60_000;
const WEEK_MS = 7 * 24 * 3600 * 1000;

Deno.test("runTraffic() inserts, updates and deletes, and leaves no connection", async () => {
  await using source = await startSource({ seed: 1, salesOrders: 300 });
  const traffic = startTraffic(source.url);

  await traffic.until((events) =>
    ["insert", "update", "delete", "reinsert", "open", "rollback"].every((
      kind,
    ) => events.some((event) => event.kind === kind)) &&
    ["staff", "department", "address", "design", "purchase_order"].every((
      table,
    ) => events.some((event) => event.table === table))
  );
  await traffic.stop();

  assert.equal(await openTransactions(source.client), 0);
  const orphans = await source.client.query(
    `select from payment
     left join transaction using (transaction_id)
     where transaction.transaction_id is null`,
  );
  assert.equal(orphans.rowCount, 0);
});

Deno.test("runTraffic() reports what it changed, row by row", async () => {
  await using source = await startSource({ seed: 1, salesOrders: 300 });
  const before = await countPayments(source.client);
  const traffic = startTraffic(source.url);

  await traffic.until((events) => events.length > 300);
  await traffic.stop();

  const added = traffic.count("payment", ["insert", "reinsert"]);
  const removed = traffic.count("payment", ["delete"]);
  assert.equal(
    await countPayments(source.client),
    before + added - removed,
  );
});

Deno.test("runTraffic() continues after its connections were cut", async () => {
  await using source = await startSource({ seed: 1, salesOrders: 300 });
  const traffic = startTraffic(source.url);
  await traffic.until((events) => events.length > 20);

  await source.client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'demo traffic'`,
  );
  const cut = traffic.events.length;
  await traffic.until((events) =>
    events.slice(cut).some(({ kind }) => kind === "reconnect") &&
    events.slice(cut).filter(({ kind }) => kind === "insert").length > 20
  );
  await traffic.stop();

  assert.equal(await openTransactions(source.client), 0);
});

Deno.test("runTraffic() makes rows like those of the trade before it", async () => {
  await using source = await startSource({
    seed: 1,
    salesOrders: 1_100,
    weeksLater: Math.floor((Date.now() - TRADE_END.getTime()) / WEEK_MS),
  });
  const of = async (what: string) =>
    (await source.client.query(`select ${what}`)).rows[0];
  const weekly = Number((await of("count(*) / 104.0 as n from sales_order")).n);
  const traffic = startTraffic(source.url);

  await traffic.until((events) =>
    events.filter(({ kind, table }) =>
      kind === "insert" && table === "sales_order"
    ).length > 4 * weekly
  );
  await traffic.stop();

  const { live, weekends, ahead } = await of(`count(*)::integer as live,
      count(*) filter (where extract(isodow from created_at) > 5)::integer
        as weekends,
      count(*) filter (where created_at > last_updated)::integer as ahead
    from sales_order where created_at > now() - interval '7 days'`);
  assert.ok(live > weekly / 4, `${live} orders in a week`);
  assert.ok(live < 3 * weekly, `${live} orders in a week, not ${weekly}`);
  assert.deepEqual({ weekends, ahead }, { weekends: 0, ahead: 0 });
  const { share } = await of(`avg((department_name = 'Sales')::integer) as share
    from sales_order inner join staff using (staff_id)
    inner join department using (department_id)`);
  assert.ok(share > 0.8, `${share} of the orders were sold by Sales`);
  const { paid } = await of(`count(*)::integer as paid from payment
    where paid and payment_date::date > current_date - 1`);
  assert.ok(paid < weekly, `${paid} payments in a day`);
});

Deno.test("runTraffic() throws the server's refusals", async () => {
  await using source = await startSource({ seed: 1, salesOrders: 1 });
  await source.client.query("drop table payment cascade");

  const traffic = runTraffic({
    url: source.url,
    seed: 1,
    signal: new AbortController().signal,
    transactionsPerSecond: 10,
  });

  await assert.rejects(traffic, /relation "payment" does not exist/);
});

function startTraffic(url: string) {
  const ending = new AbortController();
  const events: TrafficEvent[] = [];
  const heard = new EventTarget();
  const ended = runTraffic({
    url,
    seed: 1,
    signal: ending.signal,
    transactionsPerSecond: 200,
    longSeconds: { least: 1, most: 2 },
    onEvent(event) {
      events.push(event);
      heard.dispatchEvent(new Event("event"));
    },
  });
  return {
    events,
    count: (table: string, kinds: TrafficEvent["kind"][]) =>
      events
        .filter((event) => event.table === table && kinds.includes(event.kind))
        .reduce((sum, { count }) => sum + count, 0),
    async until(isReached: (events: TrafficEvent[]) => boolean) {
      const reached = Promise.withResolvers<void>();
      const check = () => isReached(events) && reached.resolve();
      heard.addEventListener("event", check);
      const timeout = setTimeout(
        () => reached.reject(new Error(`Not within ${WAIT_MS_MAX} ms`)),
        WAIT_MS_MAX,
      );
      check();
      await Promise.race([reached.promise, ended]);
      clearTimeout(timeout);
      heard.removeEventListener("event", check);
    },
    async stop() {
      ending.abort();
      await ended;
    },
  };
}

async function countPayments(client: Client): Promise<number> {
  const { rows } = await client.query(
    "select count(*)::integer as payments from payment",
  );
  return rows[0].payments;
}

async function openTransactions(client: Client): Promise<number> {
  const { rows } = await client.query(
    `select count(*)::integer as open from pg_stat_activity
     where application_name = 'demo traffic' and xact_start is not null`,
  );
  return rows[0].open;
}
