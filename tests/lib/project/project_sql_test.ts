import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../../lib/errors.ts";
import type { Model } from "../../../lib/project/model.ts";
import { readProjectSql } from "../../../lib/project/project_sql.ts";
import { NO_TABLE_HEADER } from "../../harness/companies/company_of.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { PROJECT_SQL } from "../../harness/platform.ts";

const CONTRACT = `create table thing (
    id integer not null,
    primary key (id)
);
`;
const MODEL: Model = {
  name: "dim_thing",
  kind: "dimension",
  derivation: "row",
  key: ["id"],
  reads: ["thing"],
  times: [],
};
const MODEL_TEXT = `-- Things.
--
-- Key: id.

select id from changed.thing`;
const FILES: Readonly<Record<string, string>> = {
  "source.sql": CONTRACT,
  "models/dim_thing.sql": MODEL_TEXT,
  "models/notes.md": "not SQL",
  "quarantine/thing.sql": "select 1",
  "warehouse/0002_b.sql": "two",
  "warehouse/0001_a.sql": "one",
  "checks/dim_thing__rule.sql": "-- Severity: error\nthree",
};

Deno.test("readProjectSql() reads the project's own folder", () => {
  assert.equal(PROJECT_SQL.tables.length, 11);
  assert.equal(PROJECT_SQL.models.length, 11);
  assert.deepEqual([...PROJECT_SQL.quarantine.keys()], [
    "payment",
    "purchase_order",
    "sales_order",
  ]);
  assert.match(PROJECT_SQL.migrations[0]?.name ?? "", /^0002_/);
});

Deno.test("readProjectSql() reads the folder", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, FILES);

    const sql = readProjectSql(folder);

    assert.deepEqual(sql.tables.map((table) => table.name), ["thing"]);
    assert.deepEqual(sql.models, [
      {
        ...MODEL,
        sql: MODEL_TEXT,
        table: { ...NO_TABLE_HEADER, meaning: "Things." },
      },
    ]);
    assert.deepEqual([...sql.quarantine], [["thing", "select 1"]]);
    assert.deepEqual(sql.migrations, [
      { name: "0001_a", text: "one" },
      { name: "0002_b", text: "two" },
    ]);
    assert.deepEqual(sql.checks, [{
      name: "dim_thing__rule",
      text: "-- Severity: error\nthree",
    }]);
  }));

Deno.test("readProjectSql() reads nested folders as if they were flat", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, FILES);
    const flat = readProjectSql(folder);
    for (const path of ["models/dim_thing.sql", "warehouse/0001_a.sql"]) {
      const to = path.replace("/", "/shared/core/");
      await writeFiles(folder, { [to]: FILES[path] ?? "" });
      await Deno.remove(join(folder, path));
    }

    assert.deepEqual(readProjectSql(folder), flat);

    await writeFiles(folder, {
      "models/.old/dim_thing.sql": "no model",
      "models/sales/dim_thing.sql": MODEL_TEXT,
    });
    assert.throws(() => readProjectSql(folder), {
      name: "ConfigError",
      message: `${join(folder, "models/shared/core/dim_thing.sql")}: ${
        join(folder, "models/sales/dim_thing.sql")
      } has the same name`,
    });
    await Deno.remove(join(folder, "models/sales/dim_thing.sql"));
    await writeFiles(folder, { "models/sales/dim_other.SQL": MODEL_TEXT });
    assert.throws(
      () => readProjectSql(folder),
      /dim_other.SQL: its name must end with .sql$/,
    );
  }));

Deno.test("readProjectSql() reads a folder without quarantine, checks or migrations", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, {
      "source.sql": CONTRACT,
      "models/dim_thing.sql": "-- Key: id.\nselect 1",
    });

    const sql = readProjectSql(folder);

    assert.equal(sql.quarantine.size, 0);
    assert.deepEqual([sql.migrations, sql.checks], [[], []]);
  }));

Deno.test("readProjectSql() hashes only what a batch of the lake depends on", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, FILES);
    const { transformHash } = readProjectSql(folder);

    await writeFiles(folder, {
      "warehouse/0003_c.sql": "",
      "checks/dim_thing__other.sql": "-- Severity: warning",
    });
    const same = readProjectSql(folder).transformHash;
    const others: string[] = [];
    for (
      const [path, text] of Object.entries({
        "source.sql": CONTRACT.replace("integer", "bigint"),
        "models/dim_thing.sql": MODEL_TEXT.replace("id", "other"),
        "quarantine/thing.sql": "select 2",
      })
    ) {
      await writeFiles(folder, { ...FILES, [path]: text });
      others.push(readProjectSql(folder).transformHash);
    }

    assert.equal(same, transformHash);
    assert.equal(new Set([transformHash, ...others]).size, 4);
  }));

Deno.test("readProjectSql() removes the semicolon after a select", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, FILES);
    const { transformHash } = readProjectSql(folder);

    await writeFiles(folder, {
      "models/dim_thing.sql": `${MODEL_TEXT}; -- the end;\n`,
      "quarantine/thing.sql": "select 1 /* ; */ ;\n",
    });
    const sql = readProjectSql(folder);

    assert.deepEqual(sql.models.map((model) => model.sql), [MODEL_TEXT]);
    assert.deepEqual([...sql.quarantine], [["thing", "select 1"]]);
    assert.equal(sql.transformHash, transformHash);
  }));

Deno.test("readProjectSql() recognises the hashes that earlier versions gave the same SQL", () => {
  // As commit 8d6f603 hashed these folders: lakes that it made go on.
  assert.ok(
    PROJECT_SQL.earlierHashes.includes(
      "4fb77768880f972b415a7a8a53567183d283da9f35277aeee4996f6ce071c23a",
    ),
  );
  const other = readProjectSql(
    fileURLToPath(
      new URL("../../harness/companies/other_company", import.meta.url),
    ),
  );
  assert.ok(
    other.earlierHashes.includes(
      "482b20f36ab216d9329dda9e038565d57481851ca6f753ded63cff8eb3f393f3",
    ),
  );
});

Deno.test("readProjectSql() ignores comments, blanks and fields of tables in the hash", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, FILES);
    const { transformHash } = readProjectSql(folder);

    await writeFiles(folder, {
      "source.sql": `-- What there is,\n-- read as: it's there.\n\n${CONTRACT}`,
      "models/dim_thing.sql": `-- Things, as they are: it's said.
-- Key: id.
-- References: id -> dim_thing.
-- Columns:
--   id: its number.

select /* the key; */ id
    from changed.thing`,
      "quarantine/thing.sql": "select   1",
    });
    assert.equal(readProjectSql(folder).transformHash, transformHash);

    for (
      const [path, text] of [
        ["quarantine/thing.sql", "select '1 '"],
        ["quarantine/thing.sql", "select '1  '"],
        ["quarantine/thing.sql", "select '-- 1'"],
        ["models/dim_thing.sql", MODEL_TEXT.replace("Key: id", "Key: other")],
        [
          "source.sql",
          CONTRACT.replace("    primary", "    note text,\n    primary"),
        ],
        [
          "source.sql",
          CONTRACT.replace(
            "    primary",
            "    -- carried from jsonb\n    note text,\n    primary",
          ),
        ],
        [
          "source.sql",
          CONTRACT.replace("(\n", "(\n    -- read as: thing\n"),
        ],
      ] as const
    ) {
      const before = readProjectSql(folder).transformHash;
      await writeFiles(folder, { [path]: text });
      assert.notEqual(readProjectSql(folder).transformHash, before, text);
    }
  }));

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
      const plain = readProjectSql(folder);
      await writeFiles(
        folder,
        Object.fromEntries(
          Object.entries(FILES).map(([path, text]) => [path, change(text)]),
        ),
      );

      assert.deepEqual(readProjectSql(folder), plain);
    }));
}

for (
  const [what, bytes, found] of [
    [
      "Latin-1",
      [0x27, 0xe9, 0x27],
      /dim_thing\.sql is not UTF-8: save it as UTF-8/,
    ],
    [
      "UTF-16",
      [0xff, 0xfe, 0x2d, 0x00],
      /dim_thing\.sql is UTF-16, or no text/,
    ],
  ] as const
) {
  Deno.test(`readProjectSql() refuses a file in ${what}, whose texts would change`, () =>
    inFolder(async (folder) => {
      await writeFiles(folder, FILES);
      await Deno.writeFile(
        join(folder, "models", "dim_thing.sql"),
        new Uint8Array(bytes),
      );

      assert.throws(() => readProjectSql(folder), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.problems.join(), found);
        return true;
      });
    }));
}

for (
  const [what, folderOf, files, problem] of [
    [
      "a model that would be passed over",
      (folder: string) => folder,
      { ...FILES, "models/dim_part.SQL": MODEL_TEXT },
      /dim_part\.SQL: its name must end with \.sql$/,
    ],
    [
      "a file in place of the folder",
      (folder: string) => join(folder, "source.sql"),
      FILES,
      /no file .*source\.sql\/source\.sql$/,
    ],
    [
      "no models",
      (folder: string) => folder,
      { "source.sql": CONTRACT, "model/dim_thing.sql": MODEL_TEXT },
      /^sql\/models has no model$/,
    ],
  ] as const
) {
  Deno.test(`readProjectSql() refuses ${what}`, () =>
    inFolder(async (folder) => {
      await writeFiles(folder, files);

      assert.throws(() => readProjectSql(folderOf(folder)), {
        name: "ConfigError",
        message: problem,
      });
    }));
}

Deno.test("readProjectSql() reports every problem at once", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, {
      ...FILES,
      "models/dim_keyless.sql": "-- Keys: id.\nselect 1 from changed.thing",
      "models/dim_other.sql": "-- Key: id.\nselect 1 from changed.nowhere",
      "models/dim_wrong.sql":
        "-- Key: id.\n-- Maintained: by hand.\n-- Reads: changed.thing,\n-- current.thing.\n\nselect 1 from changed.thing",
      "models/thing.sql": "-- Key: id.\n\nselect 1 from changed.thing",
      "quarantine/nothing.sql": "select 1",
      "checks/dim_things__rule.sql": "select 1",
      "checks/dim_thing__odd.sql": "-- Severity: eror\n\nselect 1",
    });

    assert.throws(() => readProjectSql(folder), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.problems, [
        "sql/models/dim_keyless.sql: its header says Keys: did you mean Key?",
        "sql/models/dim_keyless.sql: its header does not say what identifies a row, as in `-- Key: id.`",
        "sql/models/dim_wrong.sql: its header says Maintained: by hand., which is not one of by row, as a join, append only",
        "sql/models/dim_wrong.sql: its header says that it reads changed.thing, current.thing, and its SQL reads changed.thing",
        "sql/models/thing.sql: its header says neither `-- Kind: fact.` nor `-- Kind: dimension.`, and its name begins neither with fact_ nor with dim_",
        'The model "dim_other" reads "nowhere", which is not in sql/source.sql',
        'sql/quarantine/nothing.sql: the table "nothing" is not in sql/source.sql',
        "sql/checks/dim_things__rule.sql belongs to no model: its name must begin with one, as in <model>__<rule>.sql",
        "sql/checks/dim_thing__odd.sql: its header says neither `-- Severity: error` nor `-- Severity: warning`",
        "sql/checks/dim_things__rule.sql: its header says neither `-- Severity: error` nor `-- Severity: warning`",
      ]);
      return true;
    });
  }));

for (
  const [what, header, problem] of [
    ["a key's column twice", "Key: id, id.", "names id twice under Key"],
    [
      "a field twice, of which one would be lost",
      "Key: id.\n-- References: id -> dim_thing.\n-- References: part_id -> dim_thing.",
      "has References twice: name all in one",
    ],
    [
      "a column that refers to two dimensions",
      "Key: id.\n-- References: part_id -> dim_thing, part_id -> dim_part.",
      "says References: part_id -> dim_part, and that part_id refers to dim_thing",
    ],
    ...[
      ["Refrences", "References"],
      ["Reference", "References"],
      ["Not-null", "Not null"],
      ["Notnull", "Not null"],
      ["Column", "Columns"],
    ].map(([label, field]) =>
      [
        `the label ${label}`,
        `Key: id.\n-- ${label}: part_id -> dim_thing.`,
        `says ${label}: did you mean ${field}?`,
      ] as const
    ),
  ] as const
) {
  Deno.test(`readProjectSql() refuses a header with ${what}`, () =>
    inFolder(async (folder) => {
      await writeFiles(folder, {
        ...FILES,
        "models/fact_use.sql":
          `-- Uses.\n-- ${header}\n\nselect id, part_id from changed.thing`,
      });

      assert.throws(() => readProjectSql(folder), {
        name: "ConfigError",
        message: `sql/models/fact_use.sql: its header ${problem}`,
      });
    }));
}

Deno.test("readProjectSql() ignores labels that don't resemble a field", () =>
  inFolder(async (folder) => {
    const text = MODEL_TEXT.replace(
      "-- Key",
      "-- Note: reads one row.\n-- Who: the shop.\n-- Key",
    );
    await writeFiles(folder, { ...FILES, "models/dim_thing.sql": text });

    assert.deepEqual(readProjectSql(folder).models[0]?.key, ["id"]);
  }));

Deno.test("readProjectSql() derives what a header omits, and takes what it states", () =>
  inFolder(async (folder) => {
    await writeFiles(folder, {
      "source.sql": CONTRACT + CONTRACT.replace("thing", "part"),
      "models/a.sql": `-- Kind: Fact.
-- Key: id,
-- part_id.
-- Maintained: append only.
-- Times of day: seen_at, left_at.
-- Serial number: number.
-- Why: Key: this is no field.

select 1 from changed.thing`,
      "models/dim_join.sql":
        "-- Key: id\nselect 1 from current.thing, current.part",
      "models/dim_set.sql":
        "-- Key: id\nselect 1 from changed.thing, changed.part",
      "models/fact_row.sql": "-- Key: id\nselect 1 from changed.part",
      "models/dim_new.sql": "-- Key: id\nselect 1 from changed.part",
      "warehouse/0001.sql": `create table dim_set (id integer);
        create table dim_join (id integer, at time);
        create table fact_row (row_record_id bigint, open_at time(3),
          made timestamp);`,
    });

    const models = readProjectSql(folder).models
      .map(({ sql: _sql, table: _table, ...model }) => model);

    assert.deepEqual(models, [
      {
        name: "dim_set",
        kind: "dimension",
        derivation: "set",
        key: ["id"],
        reads: ["thing", "part"],
        times: [],
      },
      {
        name: "dim_join",
        kind: "dimension",
        derivation: "join",
        key: ["id"],
        reads: ["thing", "part"],
        times: ["at"],
      },
      {
        name: "fact_row",
        kind: "fact",
        derivation: "row",
        key: ["id"],
        reads: ["part"],
        times: ["open_at"],
        recordId: "row_record_id",
      },
      {
        name: "dim_new",
        kind: "dimension",
        derivation: "row",
        key: ["id"],
        reads: ["part"],
        times: [],
      },
      {
        name: "a",
        kind: "fact",
        derivation: "set",
        key: ["id", "part_id"],
        reads: ["thing"],
        times: ["seen_at", "left_at"],
        recordId: "number",
      },
    ]);
  }));

Deno.test("readProjectSql() reports a missing contract", () =>
  inFolder((folder) => {
    assert.throws(() => readProjectSql(folder), {
      name: "ConfigError",
      message: `Cannot read the project's SQL: no file ${folder}/source.sql`,
    });
  }));

Deno.test("readProjectSql() throws other errors of reading", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "source.sql"));
    assert.throws(() => readProjectSql(folder), { code: "EISDIR" });

    await Deno.remove(join(folder, "source.sql"));
    await writeFiles(folder, { "source.sql": CONTRACT, "models": "a file" });
    assert.throws(() => readProjectSql(folder), { code: "ENOTDIR" });
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
