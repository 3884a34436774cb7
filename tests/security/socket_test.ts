import assert from "node:assert/strict";
import { join } from "node:path";
import { findPostgres } from "../../embedded/postgres_binaries.ts";
import { findServerUser } from "../../embedded/server_user.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../harness/servers/cluster.ts";
import { Task } from "../harness/task.ts";

/** Each task that connects to a server; those for ever are asked to stop. */
const TASKS = [
  ["doctor"],
  ["pipeline"],
  ["extract"],
  ["transform"],
  ["load"],
  ["verify"],
  ["status"],
  ["resync", "payment"],
  ["rebuild", "warehouse"],
];

Deno.test("every task works with servers on a Unix socket", () =>
  inServerFolder(async (folder) => {
    const sockets = join(folder, "sockets");
    const dataDir = join(folder, "data");
    await Deno.mkdir(sockets);
    const { postgres } = await findPostgres(Deno.env.get("TEST_POSTGRES_BIN"));
    const user = await findServerUser({ dataDir, program: postgres });
    await user.own(sockets);
    await using cluster = await Cluster.start(dataDir, {
      unix_socket_directories: sockets,
    });
    await cluster.fill();
    await cluster.client.query("create database warehouse");
    const { password, port } = new URL(cluster.server.url(DATABASE));
    const socket = encodeURIComponent(sockets);
    const url = (database: string) =>
      `postgres://postgres:${password}@/${database}?host=${socket}&port=${port}`;
    const env = {
      SOURCE_URL: url(DATABASE),
      // libpq's variables name the socket, too.
      WAREHOUSE_URL: `postgres://postgres:${password}@/warehouse`,
      ANALYST_URL: url("warehouse"),
      PGHOST: sockets,
      PGPORT: port,
      PGSSLMODE: "verify-full",
      INGESTION_URL: join(folder, "ingestion"),
      PROCESSED_URL: join(folder, "processed"),
      TEMP_DIRECTORY: join(folder, "temp"),
      DASHBOARD_LISTEN: "127.0.0.1:0",
    };
    for (const args of TASKS) {
      await using task = new Task(args, env);
      const code = await task.ended();
      assert.equal(code, 0, `${args}: ${task.out}${task.error}`);
    }

    await using run = new Task(["run", "--every", "1s"], env);
    await run.says(/"stage":"load","message":"batch \d/);
    await using smoke = new Task(["smoke", "--wait", "50s"], env);
    assert.equal(await smoke.ended(), 0, smoke.out + smoke.error);
    run.kill("SIGTERM");
    assert.equal(await run.ended(), 0, run.out + run.error);

    await using dashboard = new Task(["dashboard"], env);
    await dashboard.says(/the dashboard is at/);
    const [, address = ""] = /is at (http:[^"\s]+\/)/.exec(dashboard.out) ?? [];
    const health = await (await fetch(`${address}health`)).json();
    assert.equal(health.ok, true);
    assert.ok(health.batch > 1);
    dashboard.kill("SIGTERM");
    assert.equal(await dashboard.ended(), 0, dashboard.error);
  }));
