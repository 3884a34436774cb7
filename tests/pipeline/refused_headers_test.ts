import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { main as check } from "../../operate/check.ts";
import { inFolder } from "../harness/in_folder.ts";
import { FILES } from "./derived_company.ts";
import { testIo } from "../harness/process_io.ts";

const OTHER_DIMENSION = `-- Key: id.
-- References: id -> dim_Shop.

select shop_id as id from changed.shop`;

/** What check says of a folder with these files. */
async function told(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<{ code: number; out: string }> {
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    await Deno.writeTextFile(join(folder, path), text);
  }
  const io = testIo({ SQL_DIRECTORY: folder }, { isTerminal: true });
  return { code: await check([], io), out: io.said };
}

/** Edits of the company's files, and what is said of them. */
const REFUSED: Readonly<
  Record<string, { edits: Record<string, [string, string]>; message: RegExp }>
> = {
  "a reference to no model": {
    edits: { fact_line: ["-> dim_Shop", "-> dim_shop"] },
    message:
      /fact_line\.sql: its header says References: shop_id -> dim_shop, which is not a model/,
  },
  "a reference to a fact": {
    edits: {
      dim_Shop: ["-- Why", "-- References: ShopID -> fact_line.\n-- Why"],
    },
    message: /ShopID -> fact_line, which is not a dimension/,
  },
  "a reference that can't be read": {
    edits: { fact_line: ["shop_id -> dim_Shop", "dim_Shop"] },
    message: /says References: dim_Shop, which is not of the form/,
  },
  "references in a circle": {
    edits: {
      dim_Shop: ["-- Why", "-- References: ShopID -> dim_other.\n-- Why"],
      dim_other: ["", ""],
    },
    message: /References form a cycle: dim_Shop -> dim_other -> dim_Shop/,
  },
  "a reference of another type": {
    edits: {
      fact_line: ["    shop_id,", "    cast(shop_id as varchar) as shop_id,"],
    },
    message:
      /its column "shop_id" is text and refers to dim_Shop, whose key "ShopID" is integer/,
  },
  "a column that is not there under Not null": {
    edits: { fact_line: ["Not null: price", "Not null: Price"] },
    message: /its header names the column "Price" under Not null/,
  },
  "a column that is not there under Columns": {
    edits: { fact_line: ["--   price:", "--   prize:"] },
    message: /its header names the column "prize" under Columns/,
  },
  "a column that is not there under References": {
    edits: { fact_line: ["shop_id ->", "shop ->"] },
    message: /its header names the column "shop" under References/,
  },
  "a type that the warehouse lacks": {
    edits: { fact_line: ["    price,", "    price,\n    [price] as prices,"] },
    message: /its column "prices" is DECIMAL\(10,2\)\[\], which the warehouse/,
  },
  "a name that is too long": {
    edits: {
      fact_line: ["    price,", `    price,\n    note as ${"n".repeat(64)},`],
    },
    message: /has a name of over 63 bytes/,
  },
};

for (const [what, { edits, message }] of Object.entries(REFUSED)) {
  Deno.test(`check refuses ${what}`, () =>
    inFolder(async (folder) => {
      const files: Record<string, string> = { ...FILES };
      for (const [model, [from, to]] of Object.entries(edits)) {
        const path = `models/${model}.sql`;
        const text = FILES[path] ?? OTHER_DIMENSION;
        assert.ok(text.includes(from), from);
        files[path] = text.replace(from, to);
      }

      const { code, out } = await told(folder, files);

      assert.match(out, message);
      assert.notEqual(code, 0);
    }));
}

Deno.test("check shows the tables that follow from models", () =>
  inFolder(async (folder) => {
    const { code, out } = await told(folder, FILES);

    assert.equal(code, 0, out);
    assert.match(
      out,
      /^fact_line: fact, by row of line\n {2}its table is derived from it; line_record_id numbers its versions\n/m,
    );
    assert.match(out, /^ {2}OrderID +INTEGER +integer {2}key$/m);
    assert.match(out, /^ {2}shop_id +INTEGER +integer {2}-> dim_Shop$/m);
    assert.match(
      out,
      /^ {2}price +DECIMAL\(10,2\) +numeric\(10,2\) {2}not null {2}What one costs\.$/m,
    );
  }));
