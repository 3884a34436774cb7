import assert from "node:assert/strict";
import { lintSql } from "../../tools/sql_style.ts";

const HEADER = "-- Things.\n--\n-- Grain: one.\n-- Key: id.\n" +
  "-- Reads: changed.thing.\n\n";
const MODEL = "sql/models/dim_thing.sql";

Deno.test("lintSql() accepts a model in the house style", () => {
  const text = HEADER + "with things as (\n" +
    "    select\n        id,\n        cast(made as date) as made_on,\n" +
    "        count(*) as pieces,\n        '  A;b'' ' as word\n" +
    "    from changed.thing\n    group by id, made\n)\n\n" +
    "select\n    things.id,\n    things.made_on,\n" +
    "    case things.word when 'Select' then 'x' else null end as kind,\n" +
    "    extract(year from things.made_on) % 7 + 1 as year\n" +
    "from things\nleft join things as others\n    on others.id = things.id\n" +
    "where things.made_on > date '2020-01-01'\n";

  assert.deepEqual(lintSql(MODEL, text), []);
});

for (
  const [line, message] of [
    ["SELECT id from changed.thing", '"SELECT" not in lower case'],
    ["select id as Id from changed.thing", '"Id" not in lower case'],
    ["select * from changed.thing", "select *: list the columns"],
    ["select id, * from changed.thing", "select *: list the columns"],
    ["select thing.* from changed.thing", "select *: list the columns"],
    ["select id from changed.thing;", "a semicolon: it is one bare select"],
    ["select id made from changed.thing", 'alias "made" without as'],
    ['select id "made" from changed.thing', 'alias "made" without as'],
    ["select count(*) made from changed.thing", 'alias "made" without as'],
    ["select 'a' made from changed.thing", 'alias "made" without as'],
    [
      "select case 1 when 2 then 3 end made from changed.thing",
      'alias "made" without as',
    ],
    ["select id from changed.thing things", 'alias "things" without as'],
    ["select id from changed.thing as t", 'one-letter alias "t"'],
    [
      "select id from changed.thing as one join two on true",
      "join without its kind (inner, left, cross, full)",
    ],
    ["values (1, 'changed')", "does not begin with select or with"],
    [
      "select id::text from changed.thing",
      '"::" is not in the SQL that all engines share',
    ],
    [
      "select price / 2 from changed.thing",
      '"/" is not in the SQL that all engines share',
    ],
    [
      "select dayname(made) from changed.thing",
      '"dayname" is not in the SQL that all engines share',
    ],
    [
      "select extract(isodow from made) from changed.thing",
      '"isodow" is not in the SQL that all engines share',
    ],
    [
      "select cast(id as double) from changed.thing",
      '"double" is not in the SQL that all engines share',
    ],
    [
      "select id from changed.thing qualify true",
      '"qualify" is not in the SQL that all engines share',
    ],
    [
      "select id from changed.thing group by all",
      '"by all" is not in the SQL that all engines share',
    ],
    ["select id from current.other", "the header's Reads lacks current.other"],
    [
      `select id, '${"x".repeat(60)}' as x1 from changed.thing`,
      "98 columns, more than 80",
    ],
    ["select\tid from changed.thing", "a tab"],
    ["select id from changed.thing ", "trailing blanks"],
    ["  select id from changed.thing", "indented by 2, not a multiple of 4"],
  ] as const
) {
  Deno.test(`lintSql() finds in a model: ${message} (${line.trim()})`, () => {
    const messages = lintSql(MODEL, `${HEADER}${line}\n`)
      .filter((found) => found.line === 7 || found.message.includes("lacks"))
      .map((found) => found.message);

    assert.deepEqual(messages, [message]);
  });
}

Deno.test("lintSql() names file and line", () => {
  const found = lintSql("tests/a.sql", "select 1 as one;\n\n\nSELECT 2\n");

  assert.deepEqual(found, [{
    file: "tests/a.sql",
    line: 4,
    message: '"SELECT" not in lower case',
  }]);
});

Deno.test("lintSql() reports each missing line of a header", () => {
  const model = lintSql(MODEL, "select id\nfrom changed.thing\n");
  const check = lintSql(
    "sql/checks/dim_thing__is_fine.sql",
    "-- Severity: grave\n\nselect id\nfrom dim_thing\n",
  );

  assert.deepEqual(model.map((found) => found.message), [
    'no "Grain:" in the header',
    'no "Key:" in the header',
    'no "Reads:" in the header',
    "the header does not say what it is",
    "the header's Reads lacks changed.thing",
  ]);
  assert.deepEqual(check.map((found) => found.message), [
    'no "Severity: error (or warning)" in the header',
    "the header does not say what it is",
    "does not read checked_dim_thing",
    'has no column "key"',
    'has no column "finding"',
  ]);
});

Deno.test("lintSql() takes a header whose Reads runs over lines", () => {
  const text =
    HEADER.replace("changed.thing.", "changed.thing,\n-- changed.it.") +
    "select thing.id\nfrom changed.thing\ncross join changed.it\n";

  assert.deepEqual(lintSql(MODEL, text), []);
});

Deno.test("lintSql() checks the body of a function", () => {
  const text = "do $$\nbegin\n    SELECT 1;\nend\n$$;\n";

  assert.deepEqual(lintSql("sql/warehouse/0009_x.sql", text).length, 1);
});

Deno.test("lintSql() ignores DDL, strings and comments", () => {
  const text = "-- A Comment: SELECT x y\ncreate table thing (\n" +
    "    id integer not null,\n    price numeric(10,2),\n" +
    "    primary key (id)\n);\ncomment on table thing is\n" +
    "    'Two\n  lines\tOf Text';\ndelete from thing using other\n" +
    "where other.id = thing.id;\ngrant select on thing to reader;\n";

  assert.deepEqual(
    lintSql("sql/warehouse/0009_x.sql", text).map((found) => found.message),
    ["a tab"],
  );
});

Deno.test("lintSql() requires a line break at the end", () => {
  const [found] = lintSql("demo/a.sql", "select 1 as one;");

  assert.equal(found?.message, "no line break at the end");
});

Deno.test("the SQL lint exits with 1 and prints its findings", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/sql/models`, { recursive: true });
    await Deno.writeTextFile(`${folder}/sql/source.sql`, "Select 1;\n");
    const script = new URL("../../tools/lint_sql.ts", import.meta.url).href;
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-read", "--no-config", script],
      cwd: folder,
    });

    const { code, stdout } = await command.output();

    assert.equal(code, 1);
    assert.equal(
      new TextDecoder().decode(stdout),
      'sql/source.sql:1: "Select" not in lower case\n' +
        "Checked 1 SQL files, 1 faults\n",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
