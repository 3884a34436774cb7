import assert from "node:assert/strict";
import { join } from "node:path";
import pg from "pg";
import { connect } from "../../../lib/postgres/connect.ts";
import { connectError } from "../../../lib/postgres/connect_error.ts";
import { openPooler, testPooler } from "../../harness/servers/pgbouncer.ts";
import { openTestDatabase } from "../../harness/servers/postgres.ts";

const WRONG = "wr0ng-passw0rd";

testPooler("connect() says what a pooler refuses", async () => {
  await using database = await openTestDatabase();
  await using pooler = await openPooler(database.settings, {
    mode: "transaction",
  });

  for (
    const { settings, found, hint, loginRefused } of [
      {
        settings: { options: "-c search_path=sales" },
        found: /unsupported startup parameter/,
        hint: /^The pooler there does not pass it on: remove it from the URL/,
        loginRefused: false,
      },
      {
        settings: { database: "nowhere" },
        found: /database "nowhere" does not exist/,
        hint: /^Check the database's name/,
        loginRefused: false,
      },
      {
        settings: { password: WRONG },
        found: /password authentication failed/,
        hint: /^Check the password and the rights of the user/,
        loginRefused: true,
      },
    ]
  ) {
    await assert.rejects(
      connect({ ...pooler.settings, ...settings }, { purpose: "test" }),
      { message: found, hint, retryable: false, loginRefused },
    );
  }
});

testPooler("connect() says that a pooler takes no such login", async () => {
  await using database = await openTestDatabase();
  const folder = await Deno.makeTempDir({ prefix: "totesys-hba-" });
  await Deno.chmod(folder, 0o755);
  const hba = join(folder, "hba.conf");
  await Deno.writeTextFile(
    hba,
    `host all ${database.settings.user} 0.0.0.0/0 trust\n`,
  );

  for (
    const { settings, found } of [
      {
        settings: ["auth_type = trust"],
        found: /: "trust" authentication failed$/,
      },
      {
        settings: ["auth_type = hba", `auth_hba_file = ${hba}`],
        found: /: login rejected$/,
      },
    ]
  ) {
    await using pooler = await openPooler(database.settings, {
      mode: "transaction",
      settings,
    });
    await assert.rejects(
      connect({ ...pooler.settings, user: "nobody" }, { purpose: "test" }),
      {
        message: found,
        hint: 'Check the password and the rights of the user "nobody"',
        retryable: false,
        loginRefused: true,
      },
    );
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("connectError() recognises a pooler's permanent refusals", async () => {
  await using database = await openTestDatabase();
  const user = database.settings.user;

  for (
    const [message, hint] of [
      ["SSL required", /^The pooler requires TLS/],
      ["certificate authentication failed", /client certificate/],
      ["PAM authentication failed", `Check the password .* "${user}"`],
      ["unix socket login rejected", `Check the password .* "${user}"`],
      [
        "unsupported options startup parameter: only '-c config=val' is allowed",
        /^The pooler there does not pass it on/,
      ],
    ] as const
  ) {
    const error = new pg.DatabaseError(message, message.length, "error");
    error.code = "08P01";
    const { retryable, hint: given } = connectError(error, database.settings);
    assert.equal(retryable, false, message);
    assert.match(given ?? "", new RegExp(hint));
  }
});
