import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import { sqlFolderNamer } from "../../../lib/settings/sql_folder.ts";
import { inFolder } from "../../harness/in_folder.ts";

/** Names the folder of these settings. */
function namerOf(folder: string | undefined): (text: string) => string {
  return sqlFolderNamer((name) =>
    name === "SQL_DIRECTORY" ? folder : undefined
  );
}

Deno.test("sqlFolderNamer() names the folder of SQL_DIRECTORY", () => {
  const name = namerOf("/home/me/company/sql/");

  for (
    const [text, named] of [
      ["Fix sql/checks/a__b.sql", "Fix /home/me/company/sql/checks/a__b.sql"],
      [
        "change sql/source.sql back",
        "change /home/me/company/sql/source.sql back",
      ],
      ["rows, or sql/models", "rows, or /home/me/company/sql/models"],
      [
        "by a migration in sql/warehouse,",
        "by a migration in /home/me/company/sql/warehouse,",
      ],
      [
        "sql/ (contract) has changed",
        "/home/me/company/sql/ (contract) has changed",
      ],
      ['{"subject":"sql/"}', '{"subject":"/home/me/company/sql/"}'],
      [
        JSON.stringify("One.\nsql/models/dim_item.sql: two."),
        JSON.stringify("One.\n/home/me/company/sql/models/dim_item.sql: two."),
      ],
    ] as const
  ) assert.equal(name(text), named);
});

Deno.test("sqlFolderNamer() leaves the project's own files and similar names unchanged", () => {
  const name = namerOf("/home/me/company/sql");

  for (
    const text of [
      "Give the role its rights: load/warehouse_roles.sql",
      "/data/sql/models/dim_item.sql",
      "s3://bucket/sql/",
      "the key sql/1 differs",
      "mysql/models",
    ]
  ) assert.equal(name(text), text);
});

Deno.test("sqlFolderNamer() changes nothing for the project's own folder", () => {
  const text = "Fix sql/checks/a__b.sql";

  assert.equal(namerOf(undefined)(text), text);
  assert.equal(namerOf(" ")(text), text);
  assert.equal(namerOf(join(platformDirectory(), "sql"))(text), text);
});

Deno.test("sqlFolderNamer() keeps JSON valid", () => {
  const named = namerOf('/a "folder"')('{"hint":"Fix sql/models"}');

  assert.deepEqual(JSON.parse(named), { hint: 'Fix /a "folder"/models' });
});

Deno.test("sqlFolderNamer() names the folder in which a file lies", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, 'models/sales/a "b"'), { recursive: true });
    await Deno.mkdir(join(folder, "models/.old"));
    for (const path of ['sales/a "b"/dim_item', "dim_flat", ".old/dim_gone"]) {
      await Deno.writeTextFile(join(folder, "models", `${path}.sql`), "");
    }
    const name = namerOf(folder);

    assert.deepEqual(
      JSON.parse(name('{"hint":"or correct sql/models/dim_item.sql, once"}')),
      { hint: `or correct ${folder}/models/sales/a "b"/dim_item.sql, once` },
    );
    for (const text of ["models/dim_flat.sql", "models/dim_gone.sql"]) {
      assert.equal(name(`sql/${text}`), `${folder}/${text}`);
    }
    assert.equal(
      name("sql/checks/dim_item__rule.sql"),
      `${folder}/checks/dim_item__rule.sql`,
    );
  }));
