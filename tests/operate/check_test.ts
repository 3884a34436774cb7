import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { main as check } from "../../operate/check.ts";
import { copyTree } from "../harness/copy_project.ts";
import { inFolder } from "../harness/in_folder.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";
import { testIo } from "../harness/process_io.ts";

/** Checks a folder, as a person does. */
async function told(
  sqlDirectory: string,
  isTerminal = true,
): Promise<{ code: number; out: string }> {
  const io = testIo({ SQL_DIRECTORY: sqlDirectory }, { isTerminal });
  return { code: await check([], io), out: io.said };
}

async function copyOf(folder: string): Promise<string> {
  const copy = join(folder, "sql");
  await copyTree(SQL_DIRECTORY, copy);
  return copy;
}

Deno.test("check shows each model's table in lake and warehouse", () =>
  inFolder(async (folder) => {
    const sql = await copyOf(folder);

    const { code, out } = await told(sql);

    assert.equal(code, 0, out);
    assert.match(
      out,
      /^dim_staff: dimension, as a join of staff, department$/m,
    );
    assert.match(out, /^ {2}staff_id +INTEGER +integer {2}key$/m);
    assert.match(
      out,
      /^ {2}created_time +VARCHAR +time without time zone {2}not null$/m,
    );
    assert.match(
      out,
      /^11 tables, 11 models, 3 quarantine rules, 8 checks: /m,
    );
    const { models } = JSON.parse((await told(sql, false)).out);
    assert.equal(models.length, 11);
    assert.deepEqual(models.at(-1).key, ["sales_order_id"]);
  }));

Deno.test("check shows the names of tables that two schemas share", () =>
  inFolder(async (folder) => {
    const table = (name: string) =>
      `create table ${name} (id integer primary key);\n`;
    await Deno.mkdir(join(folder, "models"));
    await Deno.writeTextFile(
      join(folder, "source.sql"),
      ["sales.orders", "archive.orders", "sales.lot"].map(table).join(""),
    );
    const model = join(folder, "models", "fact_order.sql");
    const query = "-- Key: id.\nselect id from changed.";
    await Deno.writeTextFile(model, `${query}orders`);
    assert.match(
      (await told(folder)).out,
      /"fact_order" reads "orders", which is not in .*source\.sql: several schemas have such a table, so they are named "sales__orders" and "archive__orders"/,
    );
    await Deno.writeTextFile(model, `${query}sales__orders`);

    const { code, out } = await told(folder);

    assert.equal(code, 0, out);
    assert.match(
      out,
      /as models read them:\n {2}sales\.orders {4}sales__orders\n {2}archive\.orders {2}archive__orders\n\n/,
    );
    const { named } = JSON.parse((await told(folder, false)).out);
    assert.deepEqual(named[0], {
      table: "sales__orders",
      schema: "sales",
      name: "orders",
    });
  }));

/** Edits of a file, what is said of them, and the exit code. */
const WRONG: Readonly<
  Record<string, { file: string; text: string; message: RegExp; code: number }>
> = {
  "a column that is not there": {
    file: "models/dim_design.sql",
    text: "-- Key: design_id.\nselect design_id, size from changed.design",
    message: /Cannot use sql\/models\/dim_design\.sql: Binder Error.*"size"/,
    code: 1,
  },
  "a function that changes by itself": {
    file: "models/dim_design.sql",
    text:
      "-- Key: design_id.\nselect design_id, now() as n from changed.design",
    message: /Cannot use sql\/models\/dim_design\.sql: .*now/,
    code: 1,
  },
  "a header without a key": {
    file: "models/dim_design.sql",
    text: "select design_id from changed.design",
    message: /sql\/models\/dim_design\.sql: its header does not say/,
    code: 2,
  },
  "a key in another case than the query's": {
    file: "models/dim_design.sql",
    text:
      '-- Designs.\n-- Key: "Design_id".\n\nselect design_id, design_name from changed.design',
    message:
      /models\/dim_design\.sql: it gives no column "Design_id"[^]*Let the header name columns as the query gives them/,
    code: 1,
  },
  "a check of no model": {
    file: "checks/dim_desing__is_known.sql",
    text: "select 1",
    message: /sql\/checks\/dim_desing__is_known\.sql belongs to no model/,
    code: 2,
  },
};

for (const [what, { file, text, message, code }] of Object.entries(WRONG)) {
  Deno.test(`check names the file that has ${what}`, () =>
    inFolder(async (folder) => {
      const sql = await copyOf(folder);
      for (const place of [file, file.replace("/", "/sales/new/")]) {
        await Deno.remove(join(sql, file)).catch(() => {});
        await Deno.mkdir(dirname(join(sql, place)), { recursive: true });
        await Deno.writeTextFile(join(sql, place), text);

        const found = await told(sql);

        const flat = found.out.replaceAll("/sales/new/", "/");
        assert.match(flat.replaceAll(`${sql}/`, "sql/"), message);
        assert.ok(found.out.includes(join(sql, place)), found.out);
        assert.equal(found.code, code);
        assert.doesNotMatch(found.out, /docs\/settings\.md/);
      }
    }));
}

Deno.test("check shows which columns are carried as the text of another type", () =>
  inFolder(async (folder) => {
    const sql = await copyOf(folder);
    const contract = join(sql, "source.sql");
    await Deno.writeTextFile(
      contract,
      `${await Deno.readTextFile(contract)}
create table "Order Note" (
    id integer primary key,
    mood shop.mood,
    -- carried from interval
    wait text,
    body text
);`,
    );

    const { out } = await told(sql);
    const asJson = await told(sql, false);

    assert.match(
      out,
      /^carried .*:\n {2}Order Note\.mood {2}shop\.mood\n {2}Order Note\.wait {2}interval\n\n/m,
    );
    assert.deepEqual(JSON.parse(asJson.out).carried, [
      { table: "Order Note", column: "mood", from: "shop.mood" },
      { table: "Order Note", column: "wait", from: "interval" },
    ]);
  }));

Deno.test("check shows which columns no model reads", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "models"));
    await Deno.mkdir(join(folder, "quarantine"));
    const tables = [
      ...["star", "listed", "joined", "whole", "row", "renamed", "ruled"],
      "unused",
    ];
    await Deno.writeTextFile(
      join(folder, "source.sql"),
      tables.map((name) =>
        `create table ${name} (id integer primary key, "Name" text, size integer);\n`
      ).join(""),
    );
    const queries = {
      star: "select * from changed.star",
      listed: "select id, size as name from changed.listed",
      joined: `with named as (select id, "Name" from current.joined)
        select named.id, named.name from named join current.joined using (id)`,
      whole: "select id, to_json(whole)::text as row from changed.whole",
      row: "select id, to_json(changed.row)::text as j from changed.row",
      renamed: "select id, z from changed.renamed as t(id, q, z)",
      ruled: "select id from changed.ruled",
    };
    for (const [name, query] of Object.entries(queries)) {
      await Deno.writeTextFile(
        join(folder, "models", `dim_${name}.sql`),
        `-- Key: id.\n\n${query}`,
      );
    }
    await Deno.writeTextFile(
      join(folder, "quarantine", "ruled.sql"),
      "select id, 'large' as reason from arrived.ruled where size > 9",
    );

    const { out } = await told(folder);
    const asJson = await told(folder, false);

    assert.match(
      out,
      /^read by no model, .*:\n {2}listed {2}Name\n {2}joined {2}size\n {2}ruled {3}Name\n {2}unused {2}Name, size\n\n8 tables/m,
    );
    assert.deepEqual(JSON.parse(asJson.out).unread[3], {
      table: "unused",
      columns: ["Name", "size"],
    });
  }));

Deno.test("check reports a missing folder", async () => {
  const { code, out } = await told("/nowhere/sql");

  assert.match(out, /no file \/nowhere\/sql\/source\.sql/);
  assert.equal(code, 2);
});
