import assert from "node:assert/strict";
import { StageError } from "../../lib/errors.ts";
import { examine } from "../../operate/examine.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import {
  openClient,
  settingsOf,
  testPostgresUrl,
} from "../harness/servers/postgres.ts";
import { fillSmall, insertOrder } from "../harness/companies/small_source.ts";

/** Limits of a database that load lifts, or that don't concern it. */
const LIFTED = [
  "statement_timeout = '20ms'",
  "idle_in_transaction_session_timeout = '20ms'",
  "transaction_timeout = '300ms'",
  "lock_timeout = '1ms'",
  "default_transaction_isolation = serializable",
  "default_transaction_deferrable = on",
  "datestyle = 'SQL, DMY'",
  "intervalstyle = sql_standard",
  "extra_float_digits = -3",
  "bytea_output = escape",
  "timezone = 'Pacific/Apia'",
];

async function limit({ warehouse }: Platform, setting: string): Promise<void> {
  const { client, settings } = warehouse;
  await client.query(`alter database ${settings.database} set ${setting}`);
}

Deno.test("load overrides the database's limits and formats", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { client } = platform.warehouse;
  await fillSmall(platform.source.client);
  const { rows: [server] } = await client.query("show server_version_num");
  for (const setting of LIFTED) {
    if (setting.startsWith("transaction") && server.server_version_num < 17e4) {
      continue;
    }
    await limit(platform, setting);
  }

  await platform.run();
  await execute(platform.source.client, insertOrder(30));
  await platform.run();

  await assertMirrored(platform);
});

for (
  const { setting, found, hint } of [
    {
      setting: "default_transaction_read_only = on",
      found: /read-only transaction/,
      hint: /default_transaction_read_only/,
    },
    {
      setting: "search_path = nowhere",
      found: /no schema has been selected .* search_path is nowhere$/,
      hint: /which has to exist: alter role "postgres" in database/,
    },
    {
      setting: "search_path = ''",
      found: /no schema has been selected .* search_path is ""$/,
      hint: /^Let its search_path name the schema of the models/,
    },
    {
      setting: "search_path = pg_temp, public",
      found: /no schema has been selected .* search_path is pg_temp, public$/,
      hint: /^Let its search_path name the schema of the models/,
    },
    {
      // One name, with a comma in it.
      setting: "search_path = 'nowhere, public'",
      found: /no schema has been selected .* search_path is "nowhere, public"$/,
      hint: /^Let its search_path name the schema of the models/,
    },
  ]
) {
  Deno.test(`load reports what to do about ${setting}`, async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    await fillSmall(platform.source.client);
    await platform.extract();
    await platform.transform();
    await limit(platform, setting);

    await assert.rejects(platform.load(), (error) => {
      assert(error instanceof StageError);
      assert.match(error.message, found);
      assert.match(error.hint ?? "", hint);
      return true;
    });
  });
}

for (const encoding of ["SQL_ASCII", "LATIN1"]) {
  Deno.test(`load and doctor refuse a warehouse in ${encoding}`, async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    await fillSmall(platform.source.client);
    await platform.extract();
    await platform.transform();
    const name = `encoded_${platform.warehouse.settings.database}`;
    const admin = await openClient(await testPostgresUrl());
    await admin.query(
      `create database ${name} encoding '${encoding}' lc_collate 'C'
      lc_ctype 'C' template template0`,
    );
    const settings = settingsOf(await testPostgresUrl(name));
    platform.set({ warehouse: settings });
    const message =
      `Cannot load into ${settings.host}:${settings.port}/${name}: the database has the encoding ${encoding}, and only UTF8 holds every text`;

    try {
      await assert.rejects(platform.load(), {
        name: "StageError",
        message,
        hint: /create database NAME encoding 'UTF8' template template0/,
        retryable: false,
      });
      const findings = await examine(platform.context);
      const finding = findings.find(({ what }) => what === "warehouse");
      assert.equal(finding?.found, message);
      assert.ok(finding?.hint !== undefined);
    } finally {
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    }
  });
}
