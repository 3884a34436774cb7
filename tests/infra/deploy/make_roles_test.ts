import assert from "node:assert/strict";
import { join } from "node:path";
import { databasesOf, makeRoles } from "../../../infra/deploy/make_roles.ts";
import { query, queryRow } from "../../../lib/postgres/postgres.ts";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import { Cluster } from "../../harness/servers/cluster.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { openClient } from "../../harness/servers/postgres.ts";
import { SQL_DIRECTORY } from "../../harness/companies/sql_directory.ts";

const [SOURCE, WAREHOUSE] = await databasesOf(
  SQL_DIRECTORY,
  platformDirectory(),
);

Deno.test("makeRoles() makes working logins, and can be repeated after a failure", () =>
  inFolder(async (folder) => {
    assert(SOURCE !== undefined && WAREHOUSE !== undefined);
    await using cluster = await Cluster.start(join(folder, "data"));
    await cluster.fill();
    await cluster.client.query("create database warehouse");
    const source = cluster.server.url("totesys");
    const warehouse = cluster.server.url("warehouse");

    const first = await makeRoles(SOURCE, { url: source, secrets: ["source"] });
    const again = await makeRoles(SOURCE, { url: source, secrets: ["source"] });
    const others = await makeRoles(WAREHOUSE, {
      url: warehouse,
      secrets: ["warehouse", "analyst"],
    });

    const [none] = await databasesOf(folder, platformDirectory());
    assert(none !== undefined);
    await assert.rejects(
      makeRoles(none, { url: source, secrets: ["source"] }),
      {
        name: "ConfigError",
        message: `No file ${
          join(folder, "grants.sql")
        }: write it as in examples/northwind/sql`,
      },
    );
    // The first password was replaced, as after a run that was killed.
    await assert.rejects(openClient(first.get("source") ?? ""), /password/);
    const values = new Map([...again, ...others]);
    const users: unknown[] = [];
    for (const [secret, url] of values) {
      const client = await openClient(url);
      const { user } = await queryRow(client, "select current_user as user");
      users.push([secret, user]);
      if (secret === "source") {
        assert.equal(
          (await query(client, "table sales_order")).length > 0,
          true,
        );
        // A role's own URL is the secret as it is, and changes no password.
        const own = await makeRoles(SOURCE, { url, secrets: ["source"] });
        assert.deepEqual([...own], [["source", url]]);
      }
      await client.end();
    }
    assert.deepEqual(users, [
      ["source", "totesys_extract"],
      ["warehouse", "totesys_loader"],
      ["analyst", "totesys_analyst"],
    ]);
    const { hashed } = await queryRow(
      cluster.client,
      `select bool_and(rolpassword like 'SCRAM-SHA-256$4096:%')::text
        as hashed
      from pg_authid where rolname like 'totesys_%'`,
    );
    assert.equal(hashed, "true");
  }));

Deno.test("makeRoles() needs no superuser, which Amazon RDS doesn't grant", () =>
  inFolder(async (folder) => {
    assert(WAREHOUSE !== undefined);
    await using cluster = await Cluster.start(join(folder, "data"));
    for (
      const sql of [
        "create role admin login createrole createdb password 'admin-password'",
        "create database warehouse owner admin",
      ]
    ) await cluster.client.query(sql);
    const url = new URL(cluster.server.url("warehouse"));
    url.username = "admin";
    url.password = "admin-password";

    // Twice, as after a run that was stopped.
    await makeRoles(WAREHOUSE, { url: url.href, secrets: ["warehouse"] });
    const values = await makeRoles(WAREHOUSE, {
      url: url.href,
      secrets: ["warehouse", "analyst"],
    });

    const loader = await openClient(values.get("warehouse") ?? "");
    await loader.query("create schema pipeline create table made (n int)");
    await loader.end();
    const analyst = await openClient(values.get("analyst") ?? "");
    await assert.rejects(analyst.query("create table mine (n int)"), {
      code: "25006",
    });
    await analyst.end();
  }));

Deno.test("makeRoles() gives a password to the role that a company's grants.sql creates", () =>
  inFolder(async (folder) => {
    await using cluster = await Cluster.start(join(folder, "data"));
    const url = cluster.server.url("postgres");
    const grants = join(folder, "grants.sql");
    const [northwind] = await databasesOf(
      join(platformDirectory(), "examples", "northwind", "sql"),
      platformDirectory(),
    );
    assert.deepEqual(northwind?.roles, { source: "northwind_extract" });
    const madeBy = async (sql: string) => {
      await Deno.writeTextFile(grants, sql);
      const [source] = await databasesOf(folder, platformDirectory());
      assert(source !== undefined);
      return await makeRoles(source, { url, secrets: ["source"] });
    };

    const values = await madeBy(
      `-- Not as in create role other.\ncreate role "Shop reader" login;`,
    );

    const client = await openClient(values.get("source") ?? "");
    const { user } = await queryRow(client, "select current_user as user");
    assert.equal(user, "Shop reader");
    await client.end();
    const named = async (sql: string) => {
      await Deno.writeTextFile(grants, sql);
      const [source] = await databasesOf(folder, platformDirectory());
      return source?.roles.source;
    };
    assert.equal(
      await named(
        `create role readers; create user mapping for x server y;
        create role totesys_extract login;`,
      ),
      "totesys_extract",
    );
    assert.equal(
      await named("create role readers nologin; create role reader login;"),
      "reader",
    );
    for (const sql of ["select 1", "create role a; create user b"]) {
      await assert.rejects(madeBy(sql), {
        name: "ConfigError",
        message:
          `${grants} does not say which role the pipeline has: let it create one login, as in examples/northwind/sql`,
      });
    }
  }));

Deno.test("makeRoles() stores the certificates that the URL names", () =>
  inFolder(async (folder) => {
    assert(SOURCE !== undefined);
    await using cluster = await Cluster.start(join(folder, "data"));
    await cluster.fill();
    const file = join(folder, "roots.pem");
    await Deno.writeTextFile(file, "-----BEGIN CERTIFICATE-----\n");
    const url = new URL(cluster.server.url("totesys"));
    url.searchParams.set("sslmode", "disable");
    url.searchParams.set("sslrootcert", file);

    const values = await makeRoles(SOURCE, {
      url: url.href,
      secrets: ["source"],
    });

    const secret = JSON.parse(values.get("source") ?? "");
    assert.equal(secret.ca, "-----BEGIN CERTIFICATE-----\n");
    assert.equal(new URL(secret.url).searchParams.get("sslrootcert"), null);
  }));

Deno.test("makeRoles() refuses an invalid URL, without showing it", async () => {
  assert(SOURCE !== undefined);
  for (const url of ["hunter2hunter2", "mysql://u:hunter2hunter2@host/db"]) {
    await assert.rejects(
      makeRoles(SOURCE, { url, secrets: ["source"] }),
      ({ name, message }: Error) =>
        name === "ConfigError" && !message.includes("hunter2") &&
        message.includes("The URL of the source"),
    );
  }
});
