import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCompanyFolder } from "../../init/main.ts";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { inFolder } from "../harness/in_folder.ts";
import { smallProject } from "../harness/companies/small_project.ts";
import { execute, openPlatform } from "../harness/platform.ts";

const SOURCE = `create table item (
    item_id integer not null,
    label varchar,
    size numeric,
    primary key (item_id)
);
create table part (
    code varchar(9) not null,
    place integer not null,
    primary key (code, place)
);
create table tag (
    tag text not null,
    primary key (tag)
);`;

/** Signatures that match a call better than the built-in function's own. */
const OVERLOADS: Readonly<Record<string, string>> = {
  "concat_ws(text, text)": "text",
  "concat_ws(text, text, text)": "text",
  "format_type(oid, smallint)": "text",
  "hashint8extended(integer, integer)": "bigint",
  "hashtextextended(text, integer)": "bigint",
  "jsonb_agg(jsonb)": "jsonb",
  "jsonb_agg(name)": "jsonb",
  "jsonb_build_array(text)": "jsonb",
  "jsonb_build_array(text, text)": "jsonb",
  "jsonb_object_agg(name, smallint)": "jsonb",
  "left(varchar, integer)": "text",
  "lower(numrange)": "numeric",
  "lower_inc(numrange)": "boolean",
  "numrange(bigint, numeric)": "numrange",
  "numrange(integer, numeric)": "numrange",
  "octet_length(varchar)": "integer",
  "pg_column_size(numeric)": "integer",
  "pg_relation_filenode(oid)": "oid",
  "pg_relation_size(oid)": "bigint",
  "replace(varchar, text, text)": "text",
  "unnest(bigint[])": "setof bigint",
  "unnest(smallint[])": "setof smallint",
  "unnest(nummultirange)": "setof numrange",
  "upper(numrange)": "numeric",
  "upper_inc(numrange)": "boolean",
};

Deno.test("extract() and init call built-in functions, whatever overloads there are", async () => {
  await using platform = await openPlatform({
    sql: await smallProject({
      source: SOURCE,
      models: [
        ["item", "item_id, left(label, 9) as label, size", "item_id"],
        ["part", "code, place", "code, place"],
        ["tag", "tag", "tag"],
      ].map(([name = "", columns, key = ""]) => ({
        name: `fact_${name}`,
        kind: "fact" as const,
        key: key.split(", "),
        sql: `select ${columns} from changed.${name}`,
      })),
    }),
    sourceSql: SOURCE,
  });
  const { context, source: { client }, warehouse } = platform;
  for (const [signature, type] of Object.entries(OVERLOADS)) {
    const sql = `create function public.${signature} returns ${type}
      language plpgsql as $$ begin raise 'an overload was called'; end $$`;
    await execute(client, sql);
    if (signature.startsWith("concat_ws")) await execute(warehouse.client, sql);
  }
  await execute(
    client,
    `insert into item select n, 'label', 1.5 from generate_series(1, 50) as n`,
    "insert into part select 'a', n from generate_series(1, 50) as n",
    "insert into tag select n from generate_series(1, 50) as n",
  );
  await platform.run();
  await execute(
    client,
    "delete from item where item_id = 7",
    "delete from part where place = 7",
    "delete from tag where tag = '7'",
    "update item set label = repeat('\"', 9000000) where item_id = 8",
  );

  await platform.run();

  assert.equal((await verify(context)).same, true);
  await inFolder(async (folder) => {
    await makeCompanyFolder(context, { into: join(folder, "made") });
  });
  for (const table of ["item", "part", "tag"]) {
    const rows = await query(
      warehouse.client,
      `select count(*)::integer as rows from fact_${table}_current`,
    );
    assert.deepEqual(rows, [{ rows: 49 }]);
  }
});
