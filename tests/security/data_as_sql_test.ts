import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import { HOSTILE_TEXTS } from "../harness/companies/hostile_texts.ts";
import { History, openLake } from "../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

const FIRST_ID = 1000;
const SHOWN_CHARACTERS = 40;

/** Text columns; a date that is text can't hold any, and is left out. */
function textColumns({ columns }: ContractTable): string[] {
  return columns.filter(({ name, type }) =>
    type.name === "text" && !name.endsWith("_date")
  ).map(({ name }) => name);
}

/** Adds to every table a row for each text, with it in all text columns. */
async function insertTexts({ source }: Platform): Promise<void> {
  for (const table of PROJECT_SQL.tables) {
    const columns = textColumns(table);
    if (columns.length === 0) continue;
    const [key = ""] = table.key;
    const texts = columns.map((column) => `${quoteText(column)}, text`);
    await source.client.query(
      `insert into ${table.name}
      select (jsonb_populate_record(given, jsonb_build_object(
        '${key}', ${FIRST_ID} + place, ${texts.join(", ")}))).*
      from ${table.name} as given,
        unnest($1::text[]) with ordinality as texts (text, place)
      where ${quoteName(key)} = 1`,
      [HOSTILE_TEXTS],
    );
  }
}

/** Gives every such row the text that comes after its own. */
async function rotateTexts({ source }: Platform): Promise<void> {
  for (const table of PROJECT_SQL.tables) {
    const columns = textColumns(table);
    if (columns.length === 0) continue;
    const [key = ""] = table.key;
    await source.client.query(
      `update ${table.name} set
        ${columns.map((column) => `${column} = texts.text`).join(", ")}
      from unnest($1::text[]) with ordinality as texts (text, place)
      where ${key} = ${FIRST_ID} + 1 + place % ${HOSTILE_TEXTS.length}`,
      [HOSTILE_TEXTS],
    );
  }
}

Deno.test("hostile texts stay data in every text column, in lake and warehouse", async () => {
  await using platform = await openPlatform();
  const { source, warehouse } = platform;
  await fillSmall(source.client);
  for (const { client } of [source, warehouse]) {
    await execute(client, "create table canary (secret text)");
  }
  const history = new History(platform);

  await insertTexts(platform);
  await history.step();
  await rotateTexts(platform);
  await execute(
    source.client,
    `delete from design where design_id > ${FIRST_ID + 8}`,
  );
  platform.set({ deleteShareMax: 1 });
  await history.step();

  await history.compareAll();
  for (const { client } of [source, warehouse]) {
    assert.deepEqual(await query(client, "select * from canary"), []);
  }
  const { rows } = await warehouse.client.query(
    `select count(distinct design_name) as texts
    from dim_design_as_of_batch(1) where design_id > ${FIRST_ID}`,
  );
  assert.equal(rows[0].texts, String(HOSTILE_TEXTS.length));
});

Deno.test("a text keeps its byte order mark", async () => {
  await using platform = await openPlatform();
  const { source, warehouse } = platform;
  await fillSmall(source.client);
  await execute(
    source.client,
    "update currency set currency_code = chr(65279) || '=1' where currency_id = 1",
  );

  await platform.run();

  // JavaScript would lose it on the way here.
  const sql = (code: string) =>
    `select ${code}(currency_code) as code from dim_currency_current
    where currency_id = 1`;
  const [stored] = await query(warehouse.client, sql("ascii"));
  await using lake = await openLake(platform);
  await lake.run("use totes");
  assert.equal(String(stored?.code), "65279");
  assert.deepEqual(await lake.rows(sql("unicode")), [{ code: "65279" }]);
});

Deno.test("hostile texts in place of dates are shown unchanged in quarantine", async () => {
  await using platform = await openPlatform();
  const { source, warehouse } = platform;
  await fillSmall(source.client);
  await source.client.query(
    `insert into payment
    select (jsonb_populate_record(given, jsonb_build_object(
      'payment_id', ${FIRST_ID} + place, 'payment_date', text))).*
    from payment as given,
      unnest($1::text[]) with ordinality as texts (text, place)
    where payment_id = 1`,
    [HOSTILE_TEXTS],
  );

  await platform.run();

  const expected = HOSTILE_TEXTS.map((text, index) => ({
    row_key: String(FIRST_ID + 1 + index),
    reason: `payment_date is no date (YYYY-MM-DD): "${
      [...text].slice(0, SHOWN_CHARACTERS).join("")
    }"`,
  }));
  const select = "select row_key, reason from";
  const order = "order by cast(row_key as integer)";
  await using lake = await openLake(platform);
  assert.deepEqual(
    await lake.rows(`${select} totes.quarantine_current ${order}`),
    expected,
  );
  const found = await query(
    warehouse.client,
    `${select} quarantine_current ${order}`,
  );
  assert.deepEqual(found.map((row) => ({ ...row })), expected);
});

Deno.test("findings of checks hold hostile texts unchanged", async () => {
  await using platform = await openPlatform();
  const { source, warehouse } = platform;
  await fillSmall(source.client);

  await insertTexts(platform);
  await platform.run();

  const found = await query(
    warehouse.client,
    `select finding from pipeline.finding
    where check_name = 'dim_transaction__names_the_order_of_its_type'
    order by cast(key as integer)`,
  );
  assert.deepEqual(
    found.map(({ finding }) => finding),
    HOSTILE_TEXTS.map((text) =>
      `is a ${text} with sales_order_id 1, purchase_order_id null`
    ),
  );
});
