import assert from "node:assert/strict";
import { join } from "node:path";
import type { Client } from "pg";
import { sqlState } from "../../lib/postgres/postgres.ts";
import { quoteText } from "../../lib/sql/quote.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resyncTables } from "../../load/repair/resync_tables.ts";
import {
  Cluster,
  DATABASE,
  inServerFolder,
} from "../harness/servers/cluster.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { openClient, settingsOf } from "../harness/servers/postgres.ts";
import { insertOrder } from "../harness/companies/small_source.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";

const WAREHOUSE = "warehouse";
const PASSWORD = "of a test";
const DENIED = "42501";
const READ_ONLY = "25006";

/** What no role of the platform's may do, wherever it is connected. */
const NOBODY_MAY = [
  "create schema mine",
  "create role another",
  "create database another",
  "create extension file_fdw",
  "alter system set log_statement = 'all'",
  "alter role postgres password 'x'",
  "set role postgres",
  "set session authorization postgres",
  "select * from pg_authid",
  "select pg_read_file('/etc/passwd')",
  "select pg_ls_dir('/')",
  "select lo_import('/etc/passwd')",
  "select lo_export(1, '/tmp/out')",
  "copy (select 1) to '/tmp/out'",
  "copy (select 1) to program 'cat > /tmp/out'",
  "create function f() returns int language c as 'x', 'f'",
  "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
  "select * from finance.salary",
  "select * from confidential",
];

/** What would change a table, one of whose columns is named. */
function writesTo(table: string, column: string): string[] {
  return [
    `insert into ${table} select * from ${table}`,
    `update ${table} set ${column} = null`,
    `delete from ${table}`,
    `truncate ${table}`,
    `drop table ${table}`,
    `alter table ${table} add extra text`,
    `create index on ${table} (${column})`,
    `create trigger t before insert on ${table}
    execute function suppress_redundant_updates_trigger()`,
    `select * from ${table} for update`,
  ];
}

interface World extends AsyncDisposable {
  cluster: Cluster;
  /** The superuser's, in the warehouse. */
  warehouse: Client;
  platform: Platform;
  /** A connection as one of the roles. */
  as: (role: string, database: string) => Promise<Client>;
}

/** Source and warehouse in one cluster, with the roles that ship. */
async function openWorld(folder: string): Promise<World> {
  const cluster = await Cluster.start(join(folder, "data"));
  await cluster.fill();
  await cluster.client.query(`create database ${WAREHOUSE}`);
  const warehouse = await openClient(cluster.server.url(WAREHOUSE));
  for (const client of [cluster.client, warehouse]) {
    await execute(
      client,
      "create schema finance",
      "create table finance.salary (amount integer)",
      "create table confidential (secret text)",
    );
  }
  await runRoles(cluster.client, join(SQL_DIRECTORY, "grants.sql"));
  await runRoles(
    warehouse,
    join(platformDirectory(), "load", "warehouse_roles.sql"),
  );
  const roles = ["totesys_extract", "totesys_loader", "totesys_analyst"];
  for (const role of roles) {
    await warehouse.query(`alter role ${role} password ${quoteText(PASSWORD)}`);
  }
  const urlOf = (role: string, database: string) => {
    const url = new URL(cluster.server.url(database));
    url.username = role;
    url.password = PASSWORD;
    return url.href;
  };
  const platform = await openPlatform({ warehouse: "empty" });
  platform.set({
    source: settingsOf(urlOf("totesys_extract", DATABASE)),
    warehouse: settingsOf(urlOf("totesys_loader", WAREHOUSE)),
  });
  return {
    cluster,
    warehouse,
    platform,
    as: (role, database) => openClient(urlOf(role, database)),
    [Symbol.asyncDispose]: async () => {
      await platform[Symbol.asyncDispose]();
      await warehouse.end();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

async function runRoles(client: Client, path: string): Promise<void> {
  await client.query(await Deno.readTextFile(path));
}

/** Fails unless each statement is refused to a role that wants to write. */
async function assertDenied(
  client: Client,
  statements: readonly string[],
): Promise<void> {
  await client.query("set default_transaction_read_only = off");
  await assertRefused(client, statements, DENIED);
  await client.query("reset default_transaction_read_only");
}

async function assertRefused(
  client: Client,
  statements: readonly string[],
  state: string,
): Promise<void> {
  for (const statement of statements) {
    await assert.rejects(client.query(statement), (error) => {
      assert.equal(sqlState(error), state, `${statement}: ${error}`);
      return true;
    }, statement);
  }
}

async function assertUnprivileged(client: Client): Promise<void> {
  const { rows } = await client.query(
    `select rolsuper or rolcreaterole or rolcreatedb or rolreplication
      or rolbypassrls as privileged,
      exists (select from pg_auth_members
        where member = roles.oid and roleid::regrole::text ~ '^"?pg_') as member
    from pg_roles as roles where rolname = current_user`,
  );
  assert.deepEqual(rows, [{ privileged: false, member: false }]);
}

Deno.test("the whole pipeline runs with the roles that are shipped, which have no other rights", () =>
  inServerFolder(async (folder) => {
    await using world = await openWorld(folder);
    const { cluster, platform, warehouse, as } = world;
    const mirrored = {
      ...platform,
      source: { ...platform.source, client: cluster.client },
      warehouse: { ...platform.warehouse, client: warehouse },
    };

    await platform.run();
    await assertMirrored(mirrored);
    await execute(
      cluster.client,
      insertOrder(50),
      "delete from payment where payment_id = 2",
      "update staff set last_name = 'Other' where staff_id = 1",
    );
    await platform.run();
    await assertMirrored(mirrored);
    await resyncTables(platform.context, { tables: ["staff", "payment"] });
    await rebuildWarehouse(platform.context, { replaceLake: false });
    await assertMirrored(mirrored);

    await assertSourceRole(world);
    await assertLoader(await as("totesys_loader", WAREHOUSE), world);
    await assertAnalyst(await as("totesys_analyst", WAREHOUSE));
  }));

async function assertSourceRole({ as, cluster }: World): Promise<void> {
  const client = await as("totesys_extract", DATABASE);
  await assertUnprivileged(client);
  await client.query("select * from payment");
  await assertDenied(client, [
    ...NOBODY_MAY,
    ...writesTo("payment", "created_at"),
    "create table mine (id integer)",
    "set role totesys_loader",
  ]);
  const everyRoleMay = [
    "create temporary table t (id integer)",
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
  ];
  await assertRefused(client, everyRoleMay.slice(0, 1), READ_ONLY);
  // As sql/grants.sql says, for an administrator to decide on.
  await execute(
    cluster.client,
    `revoke temporary on database ${DATABASE} from public`,
    `revoke execute on function lo_creat(integer), lo_create(oid),
      lo_from_bytea(oid, bytea) from public`,
  );
  await assertDenied(client, everyRoleMay);
  await client.end();
  await assert.rejects(as("totesys_extract", WAREHOUSE), { code: DENIED });
}

async function assertLoader(client: Client, { as }: World): Promise<void> {
  await assertUnprivileged(client);
  await assertDenied(
    client,
    NOBODY_MAY.filter((statement) => statement !== "create schema mine"),
  );
  await assertDenied(client, [
    "insert into confidential values ('x')",
    "drop table confidential",
    "set role totesys_extract",
    "set role totesys_analyst",
  ]);
  await client.end();
  const inSource = await as("totesys_loader", DATABASE);
  await assertDenied(inSource, [
    ...NOBODY_MAY,
    "select * from payment",
    "create table mine (id integer)",
  ]);
  await inSource.end();
}

async function assertAnalyst(client: Client): Promise<void> {
  await assertUnprivileged(client);
  for (
    const relation of [
      "fact_payment",
      "fact_payment_current",
      "fact_payment_history",
      "fact_payment_as_of_batch(1)",
      "fact_payment_as_of_time(now())",
      "quarantine_current",
      "pipeline.batch",
      "pipeline.batch_file",
      "pipeline.finding",
    ]
  ) await client.query(`select * from ${relation}`);
  await assertRefused(client, ["delete from fact_payment"], READ_ONLY);
  await assertDenied(client, [
    ...NOBODY_MAY,
    ...writesTo("fact_payment", "valid_from"),
    "delete from pipeline.batch",
    "insert into pipeline.finding values (1, 'x', 'error')",
    "create table mine (id integer)",
    "create view mine as select 1",
    "create temporary table t (id integer)",
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
    "set role totesys_loader",
    "call pipeline.grant_read('totesys_analyst', 'finance')",
  ]);
  const { rows } = await client.query(
    `select count(*) as shown from pg_stat_activity
    where usename <> current_user and query <> '<insufficient privilege>'
      and query <> ''`,
  );
  assert.deepEqual(rows, [{ shown: "0" }]);
  await client.end();
}
