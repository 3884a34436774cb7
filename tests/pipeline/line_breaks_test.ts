import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { companyOf } from "../harness/companies/company_of.ts";
import { execute, openPlatform } from "../harness/platform.ts";

const LETTER = `create table letter (
    letter_id integer not null,
    body text,
    primary key (letter_id)
);`;

Deno.test("a large table of texts with line breaks arrives, and is verified", async () => {
  await using platform = await openPlatform({
    sql: companyOf(LETTER),
    sourceSql: LETTER,
    threads: 2,
  });
  platform.set({ duckDbMemoryLimit: "1GB" });
  const { source, warehouse } = platform;
  // More CSV than DuckDB reads at once, twice, and rows within the rows.
  await execute(
    source.client,
    `insert into letter select n, repeat(
        format(E'<a href="?%s" title="a, b">line</a>\\n%s,note\\n', n, n), 500)
      from generate_series(1, 2200) as n`,
  );

  await platform.run();

  const read = (client: typeof source.client, from: string) =>
    query(
      client,
      `select count(*), md5(string_agg(md5(body), '' order by letter_id))
      from ${from}`,
    );
  assert.deepEqual(
    await read(warehouse.client, "fact_letter where to_batch is null"),
    await read(source.client, "letter"),
  );
  assert.equal((await verify(platform.context)).same, true);
});
