import assert from "node:assert/strict";
import { SecondConnection } from "../../extract/second_connection.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { type Connection, queryRow } from "../../lib/postgres/postgres.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";
import { startSpreadProxy } from "../harness/servers/spread_proxy.ts";

Deno.test("SecondConnection.use() reconnects after its server has vanished silently", async () => {
  await using database = await openTestDatabase();
  const { settings } = database;
  await using proxy = startSpreadProxy(() => settings);
  const opened: Connection[] = [];
  const open = async () => {
    const connection = await connect({ ...settings, port: proxy.port }, {
      purpose: "test",
    });
    opened.push(connection);
    return connection;
  };
  const second = new SecondConnection(await open(), {
    guest: { version: 15, schema: "public", lockTimeoutMs: 1000 },
    reopen: open,
    end: async (connection) => await connection[Symbol.asyncDispose](),
  });
  const look = () =>
    second.use((client) => queryRow(client, "select 1 as one"), {
      answerMsMax: 2_000,
    });
  assert.equal((await look())?.one, "1");

  proxy.swallow();
  const row = await look();

  assert.equal(row?.one, "1");
  assert.equal(opened.length, 2);
  for (const one of opened) await one[Symbol.asyncDispose]();
});
