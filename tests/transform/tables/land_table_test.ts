import { emptyTableSql } from "../../../lib/models/empty_relation.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import type { DataFile, IngestedTable } from "../../../lib/batches/manifest.ts";
import { CSV_ROW_BYTES_MAX } from "../../../lib/csv/csv_row.ts";
import { type DuckDb, openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import {
  type ContractTable,
  parseContract,
} from "../../../lib/project/contract.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { sha256Hex } from "../../../lib/zone/checksum.ts";
import { openZone, type Zone } from "../../../lib/zone/zone.ts";
import {
  emptyLandedTables,
  landTable,
} from "../../../transform/tables/land_table.ts";
import { inFolder } from "../../harness/in_folder.ts";

const [THING, COPY, DAY] = parseContract(`create table thing (
    id integer not null,
    note text,
    price numeric(10,2),
    day date,
    at timestamp,
    flag boolean,
    primary key (id)
);
create table copy (
    code text not null,
    part integer not null,
    primary key (code, part)
);
create table day (
    day date not null,
    note text,
    primary key (day)
);
`) as [ContractTable, ContractTable, ContractTable];
const HEADER = "id,note,price,day,at,flag\n";
const SCHEMAS = ["arrived", "quarantined", "changed", "gone", "deleted"];

interface Bench {
  duckdb: DuckDb;
  zone: Zone;
  /** Writes a file, and says of it what the manifest would. */
  put: (
    key: string,
    file: { text: string; rows: number },
  ) => Promise<DataFile>;
}

Deno.test("landTable() tells null from the empty text, and keeps every text", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const file = await put("thing/1.csv", {
      text: HEADER + [
        "1,,,,,",
        '2,"",0.10,2022-11-03,2022-11-03 14:20:52.123456,t',
        '3,"a ""b""\nc, d\\",99999999.99,0001-01-01,9999-12-31 23:59:59,f',
        "4,NULL,-0.01,9999-12-31,0001-01-01 00:00:00,f",
        "5,\\.,,,,",
        '6,"\r\n",,,,',
        "",
      ].join("\n"),
      rows: 6,
    });

    await landTable(duckdb, { ...ofThing([file]), zone });

    const rows = await duckdb.rows("from changed.thing order by id");
    const none = { price: null, day: null, at: null, flag: null };
    assert.deepEqual(rows, [
      { id: "1", note: null, ...none },
      {
        id: "2",
        note: "",
        price: "0.10",
        day: "2022-11-03",
        at: "2022-11-03 14:20:52.123456",
        flag: "true",
      },
      {
        id: "3",
        note: 'a "b"\nc, d\\',
        price: "99999999.99",
        day: "0001-01-01",
        at: "9999-12-31 23:59:59",
        flag: "false",
      },
      {
        id: "4",
        note: "NULL",
        price: "-0.01",
        day: "9999-12-31",
        at: "0001-01-01 00:00:00",
        flag: "false",
      },
      { id: "5", note: "\\.", ...none },
      { id: "6", note: "\r\n", ...none },
    ]);
    assert.deepEqual(await duckdb.rows("from quarantined.thing"), []);
  }));

Deno.test("landTable() reads all files of a table", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const files = [
      await put("thing/1.csv", { text: `${HEADER}1,a,,,,\n`, rows: 1 }),
      await put("thing/2.csv", { text: `${HEADER}2,b,,,,\n`, rows: 1 }),
    ];

    await landTable(duckdb, { ...ofThing(files), zone });

    const rows = await duckdb.rows("select id from changed.thing order by id");
    assert.deepEqual(rows, [{ id: "1" }, { id: "2" }]);
  }));

Deno.test("landTable() quarantines rows whose texts don't fit their types, with the reason", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const file = await put("thing/1.csv", {
      text: `${HEADER}1,fine,1.00,,,
2,x,NaN,infinity,-infinity,
3,x,123456789.00,2022-13-01,,perhaps
4,x,,0044-03-15 BC,0044-03-15 00:00:00 BC,
`,
      rows: 4,
    });

    await landTable(duckdb, { ...ofThing([file]), zone });

    assert.deepEqual(await duckdb.rows("select id from changed.thing"), [
      { id: "1" },
    ]);
    const bad = await duckdb.rows("from quarantined.thing order by row_key");
    assert.deepEqual(bad, [
      {
        row_key: "2",
        reason: 'price is no numeric(10,2): "NaN"; ' +
          'day is no date: "infinity"; at is no timestamp: "-infinity"',
      },
      {
        row_key: "3",
        reason: 'price is no numeric(10,2): "123456789.00"; ' +
          'day is no date: "2022-13-01"; flag is no boolean: "perhaps"',
      },
      {
        row_key: "4",
        reason: 'day is no date: "0044-03-15 BC"; ' +
          'at is no timestamp: "0044-03-15 00:00:00 BC"',
      },
    ]);
  }));

Deno.test("landTable() shows only the beginning of a long unreadable text", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const text = "x".repeat(10_000);
    const file = await put("thing/1.csv", {
      text: `${HEADER}1,,${text},,,\n`,
      rows: 1,
    });

    await landTable(duckdb, { ...ofThing([file]), zone });

    const [bad] = await duckdb.rows("from quarantined.thing");
    assert.equal(
      bad?.reason,
      `price is no numeric(10,2): "${"x".repeat(40)}"`,
    );
  }));

Deno.test("landTable() quarantines the rows that the table's rule finds", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const file = await put("thing/1.csv", {
      text: `${HEADER}1,good,,,,\n2,bad,,soon,,\n3,bad,,,,\n`,
      rows: 3,
    });
    const quarantineSql =
      "select id, 'note is bad' as reason from arrived.thing where note = 'bad'";

    await landTable(duckdb, { ...ofThing([file]), zone, quarantineSql });

    assert.deepEqual(await duckdb.rows("select id from changed.thing"), [
      { id: "1" },
    ]);
    const bad = await duckdb.rows("from quarantined.thing order by row_key");
    assert.deepEqual(bad.map((row) => row.row_key), ["2", "3"]);
    assert.deepEqual(bad[0]?.reason?.split("; ").sort(), [
      'day is no date: "soon"',
      "note is bad",
    ]);
  }));

Deno.test("emptyLandedTables() makes empty tables for an unchanged table", () =>
  onBench(async ({ duckdb }) => {
    await duckdb.run(emptyLandedTables(THING).join(";"));

    const empty = await duckdb.rows(`describe ${emptyTableSql(THING)}`);
    assert.deepEqual(await duckdb.rows("describe changed.thing"), empty);
    for (const schema of SCHEMAS) {
      assert.deepEqual(await duckdb.rows(`from ${schema}.thing`), []);
    }
  }));

Deno.test("landTable() fills a column that the batch lacks with null", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const file = await put("thing/1.csv", { text: "id,note\n1,a\n", rows: 1 });
    const { table, quarantineSql, ingested } = ofThing([file]);

    await landTable(duckdb, {
      table,
      quarantineSql,
      zone,
      ingested: { ...ingested, columns: ["id", "note"] },
    });

    assert.deepEqual(await duckdb.rows("from changed.thing"), [
      { id: "1", note: "a", price: null, day: null, at: null, flag: null },
    ]);
    assert.deepEqual(await duckdb.rows("from quarantined.thing"), []);
  }));

Deno.test("landTable() reads the longest rows that extract ships", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const row = (id: number) =>
      `${id},"${"z".repeat(CSV_ROW_BYTES_MAX - 9)}",,,,\n`;
    assert.equal(row(1).length, CSV_ROW_BYTES_MAX);
    const file = await put("thing/1.csv", {
      text: HEADER + row(1) + row(2) + row(3),
      rows: 3,
    });

    await landTable(duckdb, { ...ofThing([file]), zone });

    const found = await duckdb.rows(
      "select id, length(note) as length from changed.thing order by id",
    );
    assert.deepEqual(
      found,
      ["1", "2", "3"].map((id) => ({
        id,
        length: String(CSV_ROW_BYTES_MAX - 9),
      })),
    );
  }));

Deno.test("landTable() reads deleted keys of several columns", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const file = await put("copy/deletes.csv", {
      text: 'code,part\n"a,b",-1\n"",2\n',
      rows: 2,
    });

    await landTable(duckdb, {
      table: COPY,
      ingested: {
        ...ingestedOf(COPY),
        deletes: [file],
      },
      zone,
      quarantineSql: undefined,
    });

    assert.deepEqual(await duckdb.rows("from deleted.copy order by part"), [
      { code: "a,b", part: "-1" },
      { code: "", part: "2" },
    ]);
  }));

Deno.test("landTable() quarantines only the row with an invalid key", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const file = await put("day/1.csv", {
      text: "day,note\n2023-05-01,a\n0044-03-15 BC,b\n2023-05-02,c\n",
      rows: 3,
    });

    await landTable(duckdb, {
      table: DAY,
      ingested: { ...ingestedOf(DAY), rows: [file] },
      zone,
      quarantineSql: `select day, 'it is c' as reason from arrived.day
        where note in ('b', 'c')`,
    });

    assert.deepEqual(await duckdb.rows("from changed.day"), [
      { day: "2023-05-01", note: "a" },
    ]);
    assert.deepEqual(await duckdb.rows("from quarantined.day order by 1"), [
      { row_key: "0044-03-15 BC", reason: 'day is no date: "0044-03-15 BC"' },
      { row_key: "2023-05-02", reason: "it is c" },
    ]);
  }));

Deno.test("landTable() hides an invalid deleted key from the models", () =>
  onBench(async ({ duckdb, zone, put }) => {
    const file = await put("copy/deletes.csv", {
      text: "code,part\na,1\nb,many\n",
      rows: 2,
    });

    await landTable(duckdb, {
      table: COPY,
      ingested: { ...ingestedOf(COPY), deletes: [file] },
      zone,
      quarantineSql: undefined,
    });

    assert.deepEqual(await duckdb.rows("from deleted.copy"), [
      { code: "a", part: "1" },
    ]);
    assert.deepEqual(
      await duckdb.rows('select "row key" from gone.copy order by 1'),
      [{ "row key": "[a, 1]" }, { "row key": "[b, many]" }],
    );
  }));

for (
  const { name, text, found } of [
    {
      name: "has fewer rows than the manifest says",
      text: `${HEADER}1,a,,,,\n`,
      found: /: 1 row was found, the manifest says 2$/,
    },
    {
      name: "has more rows than the manifest says",
      text: `${HEADER}1,a,,,,\n2,b,,,,\n3,c,,,,\n`,
      found: /: 3 rows were found, the manifest says 2$/,
    },
    {
      name: "ends within a row",
      text: `${HEADER}1,a,,,,\n2,b`,
      found: /./,
    },
    {
      name: "ends within quotes",
      text: `${HEADER}1,a,,,,\n2,"b`,
      found: /./,
    },
    { name: "has a column too many", text: `${HEADER}1,a,,,,,,\n`, found: /./ },
  ]
) {
  Deno.test(`landTable() refuses a file that ${name}`, () =>
    onBench(async ({ duckdb, zone, put }) => {
      const file = await put("thing/1.csv", { text, rows: 2 });
      const path = zone.locate(file.key);

      await assert.rejects(
        landTable(duckdb, { ...ofThing([file]), zone }),
        (error: Error & { subject: string; hint: string }) => {
          assert.equal(error.name, "StageError");
          assert.ok(error.message.startsWith(`Cannot read ${path}: `));
          assert.match(error.message, found);
          assert.equal(error.subject, path);
          assert.match(error.hint, /^Restore the file/);
          return true;
        },
      );
    }));
}

async function onBench(test: (bench: Bench) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const env: Record<string, string> = {
      TEMP_DIRECTORY: join(folder, "temp"),
    };
    const zone = openZone(join(folder, "zone"), { s3: undefined });
    await using duckdb = await openDuckDb(
      readConfig((name) => env[name], []),
      { zones: [zone.url] },
    );
    for (const schema of SCHEMAS) await duckdb.run(`create schema ${schema}`);
    await test({
      duckdb,
      zone,
      put: async (key, { text, rows }) => {
        const bytes = new TextEncoder().encode(text);
        await zone.put(key, bytes);
        return { key, rows, bytes: bytes.length, sha256: sha256Hex(bytes) };
      },
    });
  });
}

function ofThing(rows: DataFile[]) {
  const ingested = { ...ingestedOf(THING), rows };
  return { table: THING, ingested, quarantineSql: undefined };
}

function ingestedOf(table: ContractTable): IngestedTable {
  return {
    contractHash: "",
    columns: table.columns.map((column) => column.name),
    identity: "",
    sourceRows: 0,
    rows: [],
    deletes: [],
    digest: { key: "", files: [], buckets: [] },
  };
}
