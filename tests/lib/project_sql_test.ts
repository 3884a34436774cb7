import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../lib/errors.ts";
import type { ModelDeclaration } from "../../lib/model.ts";
import { readProjectSql } from "../../lib/project_sql.ts";
import { OTHER_MODELS } from "../harness/other_company/models/models.ts";
import { PROJECT_SQL } from "../harness/platform.ts";
import { inFolder } from "../harness/in_folder.ts";

const CONTRACT = `create table thing (
    id integer not null,
    primary key (id)
);
`;
const MODEL: ModelDeclaration = {
  name: "dim_thing",
  kind: "dimension",
  derivation: "row",
  key: ["id"],
  times: [],
};
const FILES = {
  "source.sql": CONTRACT,
  "models/dim_thing.sql": "select id from changed.thing",
  "models/models.ts": "not SQL",
  "quarantine/thing.sql": "select 1",
  "warehouse/0002_b.sql": "two",
  "warehouse/0001_a.sql": "one",
  "checks/dim_thing__rule.sql": "three",
};

Deno.test("readProjectSql() reads the project's own folder", () => {
  assert.equal(PROJECT_SQL.tables.length, 11);
  assert.equal(PROJECT_SQL.models.length, 11);
  assert.deepEqual([...PROJECT_SQL.quarantine.keys()], [
    "payment",
    "purchase_order",
    "sales_order",
  ]);
  assert.match(PROJECT_SQL.migrations[0]?.name ?? "", /^0001_/);
});

Deno.test("readProjectSql() reads the folder", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, FILES);

    const sql = readProjectSql(folder, [MODEL]);

    assert.deepEqual(sql.tables.map((table) => table.name), ["thing"]);
    assert.deepEqual(sql.models, [
      { ...MODEL, reads: ["thing"], sql: "select id from changed.thing" },
    ]);
    assert.deepEqual([...sql.quarantine], [["thing", "select 1"]]);
    assert.deepEqual(sql.migrations, [
      { name: "0001_a", text: "one" },
      { name: "0002_b", text: "two" },
    ]);
    assert.deepEqual(sql.checks, [{ name: "dim_thing__rule", text: "three" }]);
  }));

Deno.test("readProjectSql() reads a folder without quarantine, checks or migrations", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, {
      "source.sql": CONTRACT,
      "models/dim_thing.sql": "select 1",
    });

    const sql = readProjectSql(folder, [MODEL]);

    assert.equal(sql.quarantine.size, 0);
    assert.deepEqual([sql.migrations, sql.checks], [[], []]);
  }));

Deno.test("readProjectSql() hashes what a batch of the lake depends on, only", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, FILES);
    const { transformHash } = readProjectSql(folder, [MODEL]);

    await writeFiles(folder, {
      "warehouse/0003_c.sql": "",
      "checks/other__rule.sql": "",
    });
    const same = readProjectSql(folder, [MODEL]).transformHash;
    const others = [
      readProjectSql(folder, [{ ...MODEL, key: ["other"] }]).transformHash,
    ];
    for (
      const [path, text] of Object.entries({
        "source.sql": CONTRACT.replace("integer", "bigint"),
        "models/dim_thing.sql": "select 2",
        "quarantine/thing.sql": "select 2",
      })
    ) {
      await writeFiles(folder, { ...FILES, [path]: text });
      others.push(readProjectSql(folder, [MODEL]).transformHash);
    }

    assert.equal(same, transformHash);
    assert.equal(new Set([transformHash, ...others]).size, 5);
  }));

Deno.test("readProjectSql() hashes the project's SQL as it always did", () => {
  // Of commit 3ae1d21: lakes that were made by it go on.
  assert.equal(
    PROJECT_SQL.transformHash,
    "4fb77768880f972b415a7a8a53567183d283da9f35277aeee4996f6ce071c23a",
  );
  const other = readProjectSql(
    fileURLToPath(new URL("../harness/other_company", import.meta.url)),
    OTHER_MODELS,
  );
  assert.equal(
    other.transformHash,
    "482b20f36ab216d9329dda9e038565d57481851ca6f753ded63cff8eb3f393f3",
  );
});

for (
  const [what, change] of [
    ["CRLF", (text: string) => text.replaceAll("\n", "\r\n")],
    ["a byte order mark", (text: string) => `\uFEFF${text}`],
    ["both", (text: string) => `\uFEFF${text.replaceAll("\n", "\r\n")}`],
  ] as const
) {
  Deno.test(`readProjectSql() reads files with ${what} as the same`, () =>
    inFolder(async (folder) => {
      await writeFiles(folder, FILES);
      const plain = readProjectSql(folder, [MODEL]);
      await writeFiles(
        folder,
        Object.fromEntries(
          Object.entries(FILES).map(([path, text]) => [path, change(text)]),
        ),
      );

      assert.deepEqual(readProjectSql(folder, [MODEL]), plain);
    }));
}

Deno.test("readProjectSql() names all that doesn't fit", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, {
      ...FILES,
      "models/dim_extra.sql": "select 1",
      "models/dim_other.sql": "select 1 from changed.nowhere",
      "quarantine/nothing.sql": "select 1",
    });
    const list = [
      MODEL,
      { ...MODEL, name: "dim_none" },
      { ...MODEL, name: "dim_other" },
    ];

    assert.throws(() => readProjectSql(folder, list), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.problems, [
        'The model "dim_none" has no file sql/models/dim_none.sql',
        "sql/models/dim_extra.sql is in no list of models",
        'The model "dim_other" reads "nowhere", which is not in the contract',
        "sql/quarantine/nothing.sql is of no table in the contract",
      ]);
      return true;
    });
  }));

Deno.test("readProjectSql() says when there is no contract", () =>
  inFolder((folder) => {
    assert.throws(() => readProjectSql(folder, []), {
      name: "ConfigError",
      message: `Cannot read the project's SQL: no file ${folder}/source.sql`,
    });
  }));

Deno.test("readProjectSql() throws what else hinders reading", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "source.sql"));
    assert.throws(() => readProjectSql(folder, []), { code: "EISDIR" });

    await Deno.remove(join(folder, "source.sql"));
    await writeFiles(folder, { "source.sql": CONTRACT, "models": "a file" });
    assert.throws(() => readProjectSql(folder, []), { code: "ENOTDIR" });
  }));

async function writeFiles(
  folder: string,
  files: Record<string, string>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    await Deno.writeTextFile(join(folder, path), text);
  }
}
