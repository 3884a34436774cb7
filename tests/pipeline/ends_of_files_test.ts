import assert from "node:assert/strict";
import { query } from "../../lib/postgres/postgres.ts";
import { verify } from "../../verify/verify.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { differences } from "../harness/repair.ts";
import { projectOf } from "../harness/companies/small_project.ts";

const SOURCE = "create table item (id integer primary key, name text);\n";

for (
  const [ending, end] of [
    ["a semicolon", ";\n"],
    ["a comment", " -- the last line"],
    ["both", ";\n/* no more; */\n-- 'than this'"],
  ] as const
) {
  Deno.test(`a file with a select may end with ${ending}`, async () => {
    const sql = await projectOf({
      "source.sql": SOURCE,
      "models/dim_item.sql":
        `-- Key: id.\n\nselect id, ';' as sign, name from changed.item${end}`,
      "models/dim_pair.sql":
        `-- Key: id.\n\nselect one.id, other.name from current.item as one
        left join current.item as other on other.id = one.id${end}`,
      "quarantine/item.sql":
        `select id, 'no name' as reason from arrived.item where name = ''${end}`,
      "checks/dim_item__has_name.sql":
        `-- Severity: warning\n\nselect id as key, 'none' as finding
        from checked_dim_item where name is null${end}`,
    });
    await using platform = await openPlatform({ sql, sourceSql: SOURCE });
    const { source, warehouse: { client }, context } = platform;

    await execute(
      source.client,
      "insert into item values (1, 'one'), (2, ''), (3, null)",
    );
    await platform.run();
    await execute(source.client, "update item set name = 'two' where id < 3");
    await platform.run();

    for (const model of ["dim_item", "dim_pair"]) {
      const rows = await query(
        client,
        `select id::text, name from ${model}_current order by ${model}_current.id`,
      );
      assert.deepEqual(rows.map((row) => Object.values(row)), [
        ["1", "two"],
        ["2", "two"],
        ["3", null],
      ]);
    }
    const found = await query(client, "select key from pipeline.finding");
    assert.deepEqual(found.map(({ key }) => key), ["3"]);
    assert.deepEqual(differences(await verify(context)), []);
  });
}
