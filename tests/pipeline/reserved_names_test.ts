import assert from "node:assert/strict";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { smallProject } from "../harness/companies/small_project.ts";

const SOURCE = `create table sale (
    how text not null,
    amount integer,
    primary key (how)
);
`;

Deno.test("a key and other columns may have any names", async () => {
  const sql = await smallProject({
    source: SOURCE,
    models: [
      {
        name: "dim_how",
        key: ["how"],
        derivation: "set",
        sql: "select distinct how from changed.sale",
      },
      {
        name: "fact_sale",
        kind: "fact",
        key: ["how"],
        recordId: "record_id",
        sql: "select how, amount from changed.sale",
      },
    ],
  });
  await using platform = await openPlatform({ sql, sourceSql: SOURCE });
  const { source, warehouse } = platform;
  platform.set({ deleteShareMax: 1 });
  await execute(
    source.client,
    "insert into sale values ('fax', 1), ('web', 2)",
  );
  await platform.run();
  await execute(source.client, "delete from sale where how = 'fax'");
  await platform.run();

  assert.deepEqual(differences(await verify(platform.context)), []);

  await execute(
    warehouse.client,
    "update fact_sale set amount = 3 where how = 'web'",
  );
  const { comparisons } = await verify(platform.context);
  assert.deepEqual(
    comparisons.filter((one) => one.differences > 0)
      .map(({ model, place, firstKeys }) => ({ model, place, firstKeys })),
    [{
      model: "fact_sale",
      place: "warehouse",
      firstKeys: [{ key: "web", kind: "different" }],
    }],
  );
});
