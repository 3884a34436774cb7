import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { openLake } from "../harness/readers/oracle.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { projectOf } from "../harness/companies/small_project.ts";

const SOURCE = "create table shift (id integer primary key, starts text);";
const HEADER = "-- Key: id.\n-- Times of day: starts.\n\n";

async function openShifts(
  sql = `${HEADER}select id, starts from changed.shift`,
): Promise<Platform> {
  const files = { "source.sql": SOURCE, "models/dim_shift.sql": sql };
  return await openPlatform({ sql: await projectOf(files), sourceSql: SOURCE });
}

/** The times in the warehouse and in the lake. */
async function timesIn(platform: Platform): Promise<[string, string]> {
  const sql = "select string_agg(starts::text, ' ' order by starts) as times";
  const [row] = await query(
    platform.warehouse.client,
    `${sql} from dim_shift_current`,
  );
  await using lake = await openLake(platform);
  const [held] = await lake.rows(`${sql} from totes.dim_shift_current`);
  return [row?.times ?? "", held?.times ?? ""];
}

for (
  const [name, sql] of [
    ["by row", undefined],
    ["as a join", `${HEADER}select id, starts from current.shift`],
  ] as const
) {
  for (
    const text of ["now", "noon", "10:00 PM", "25:00:00", "", "0:0:0.1234567"]
  ) {
    Deno.test(`a model made ${name} holds back "${text}", which is not a time of day`, async () => {
      await using platform = await openShifts(sql);
      const { client } = platform.source;
      await execute(client, "insert into shift values (1, '09:30:00')");
      await platform.run();
      await execute(client, `insert into shift values (2, '${text}')`);
      await platform.extract();

      await assert.rejects(platform.transform(), {
        name: "StageError",
        message:
          'Cannot make "dim_shift" in batch 2: "starts" is not a time of day such as 09:30:00, in 1 row; the first key is 2',
        dataCheck: true,
      });

      assert.deepEqual(await timesIn(platform), ["09:30:00", "09:30:00"]);
      await execute(client, "update shift set starts = '22:00' where id = 2");
      await platform.run();
      const both = "09:30:00 22:00:00";
      assert.deepEqual(await timesIn(platform), [both, both]);
      assert.deepEqual(differences(await verify(platform.context)), []);
    });
  }
}

Deno.test("a key that is a time of day has one spelling", async () => {
  await using platform = await openShifts(
    "-- Key: starts.\n-- Times of day: starts.\n-- Maintained: append only.\n\nselect distinct starts from changed.shift",
  );
  await execute(
    platform.source.client,
    "insert into shift values (1, '09:30:00'), (2, '9:30')",
  );
  await platform.extract();

  await assert.rejects(
    platform.transform(),
    /"starts" is not a time of day .* in 1 row; the first key is 9:30/,
  );
});

Deno.test("every time of day of the source is accepted", async () => {
  const source = "create table shift (id integer primary key, starts time);";
  const sql = await projectOf({
    "source.sql": source,
    "models/dim_shift.sql":
      "-- Key: starts.\n-- Times of day: starts.\n-- Maintained: append only.\n\nselect distinct starts from changed.shift",
  });
  await using platform = await openPlatform({ sql, sourceSql: source });
  await execute(
    platform.source.client,
    `insert into shift values (1, '00:00'), (2, '9:30'), (3, '23:59:59.999999'),
      (4, '10:00:00.120'), (5, '24:00')`,
  );

  await platform.run();

  const all = "00:00:00 09:30:00 10:00:00.12 23:59:59.999999 24:00:00";
  assert.deepEqual(await timesIn(platform), [all, all]);
});
