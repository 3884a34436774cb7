import assert from "node:assert/strict";
import { join } from "node:path";
import type { PostgresSettings } from "../../lib/settings/config.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
  makeStandby,
} from "../harness/servers/cluster.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { openPooler, testPooler } from "../harness/servers/pgbouncer.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient, settingsOf } from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";
import { startSpreadProxy } from "../harness/servers/spread_proxy.ts";

/** Lets a platform reach its source by another port. */
function by(platform: Platform, port: number): PostgresSettings {
  const { source } = platform.config;
  assert(source !== undefined);
  platform.set({ source: { ...source, port } });
  return source;
}

Deno.test("extract() reads one state though a balancer spreads connections over servers", () =>
  inServerFolder(async (folder) => {
    await using platform = await openPlatform();
    await using primary = await Cluster.start(join(folder, "primary"));
    await primary.fill();
    await primary.backUpTo(join(folder, "standby"));
    // What the standby lacks for good: it is given nothing to follow.
    await execute(primary.client, insertOrder(60));
    await makeStandby(join(folder, "standby"));
    await using standby = await Cluster.start(join(folder, "standby"));
    platform.set({ source: settingsOf(primary.server.url(DATABASE)) });
    const warned = () =>
      platform.logged.splice(0).filter((line) => line.startsWith("warning"));

    // By turns: those that came to the other server are tried again.
    await using turns = startSpreadProxy((connection) =>
      connection % 2 === 0 ? primary.server : standby.server
    );
    by(platform, turns.port);
    const { batches } = await platform.extract();
    assert.deepEqual(batches, [1]);
    assert.deepEqual(warned(), []);
    const { tables } = await ingestionManifest(platform, 1);
    assert.equal(tables.sales_order?.sourceRows, 4);

    // Only the first connection goes to the primary.
    await using rarely = startSpreadProxy((connection) =>
      connection === 0 ? primary.server : standby.server
    );
    by(platform, rarely.port);
    await execute(primary.client, insertOrder(61), insertOrder(62));
    await platform.extract();
    const found = warned();
    assert.equal(found.length, 2, found.join("\n"));
    assert.match(found[0] ?? "", /connections go to several servers/);
    assert.match(
      found[1] ?? "",
      /read by 1 of 2 connections: (invalid snapshot identifier|a connection went to another server|snapshot ".*" does not exist)/,
    );
    const second = await ingestionManifest(platform, 2);
    assert.equal(second.tables.sales_order?.sourceRows, 6);
    assert.equal(second.tables.sales_order?.rows[0]?.rows, 2);
  }));

testPooler(
  "extract() reads through a pooler, and leaves nothing in its sessions",
  async () => {
    await using platform = await openPlatform();
    const { client, url } = platform.source;
    await fillSmall(client);
    await using bouncer = await openPooler(settingsOf(url), {
      mode: "transaction",
      sessions: 3,
    });
    const { port } = bouncer.settings;
    const direct = by(platform, port);
    const through = new URL(url);
    through.port = String(port);
    const other = await openClient(through.href);
    const settings = async () => {
      const { rows } = await other.query(
        `select pg_backend_pid() as pid, array_agg(name || '=' || setting order by name) as all
        from pg_settings where name <> 'application_name' group by 1`,
      );
      return rows[0].all;
    };
    const before = await settings();
    // Another client has left its settings in all sessions that there are.
    const many = await Promise.all(
      Array.from({ length: 3 }, () => openClient(through.href)),
    );
    for (const one of many) await one.query("begin");
    for (const one of many) {
      await execute(
        one,
        "set intervalstyle to sql_standard",
        "set bytea_output to escape",
        "set search_path to nowhere",
        "set statement_timeout to 200",
        "commit",
      );
      await one.end();
    }

    await platform.extract();
    await execute(client, insertOrder(60));
    await platform.extract();
    for (let look = 0; look < 6; look++) {
      const left = (await settings()).filter((line: string) =>
        !before.includes(line) &&
        !/^(IntervalStyle|bytea_output|search_path|statement_timeout)=/i
          .test(line)
      );
      assert.deepEqual(left, []);
    }
    await other.end();

    const second = await ingestionManifest(platform, 2);
    assert.equal(second.tables.sales_order?.rows[0]?.rows, 1);
    assert.deepEqual(
      platform.logged.filter((line) => line.startsWith("warning")),
      [],
    );
    platform.set({ source: direct });
    const { batches: [batch = 0] } = await platform.extract();
    const { tables } = await ingestionManifest(platform, batch);
    assert.deepEqual(tables.sales_order?.rows, []);
  },
);

for (const connections of [1, 2]) {
  testPooler(
    `extract() makes do with a pooler of ${connections} connections`,
    async () => {
      await using platform = await openPlatform();
      const { client, url } = platform.source;
      await fillSmall(client);
      await using bouncer = await openPooler(settingsOf(url), {
        mode: "transaction",
        sessions: connections,
      });
      by(platform, bouncer.settings.port);

      const startMs = performance.now();
      const { batches } = await platform.extract();
      const seconds = (performance.now() - startMs) / 1000;

      assert.deepEqual(batches, [1]);
      if (connections === 1) {
        assert.match(
          platform.logged.join(),
          /read by 1 of 2 connections: no answer in 5 s/,
        );
      }
      assert(seconds < 30, `${seconds} s`);
    },
  );
}
