import assert from "node:assert/strict";
import { join } from "node:path";
import type { SourceTable } from "../../init/catalogue.ts";
import { besideNamesakes } from "../../init/namesakes.ts";
import { inFolder } from "../harness/in_folder.ts";

const TABLE: Omit<SourceTable, "schema" | "name"> = {
  comment: undefined,
  rowSecurity: false,
  readable: true,
  refusal: undefined,
  columns: [],
  uniqueKeys: [],
  foreignKeys: [],
};
const KEY = "id integer primary key);\n";

Deno.test("besideNamesakes() sees the names that tables have in models", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      join(folder, "source.sql"),
      `create table items (${KEY}
create table old.invoices (
  -- read as: orders
  ${KEY}`,
    );
    const named = (schema: string, name: string) =>
      besideNamesakes([{ ...TABLE, schema, name }], {
        sqlDirectory: folder,
        sourceSchema: "sales",
      })[0]?.readAs;

    // They would be one name in models.
    assert.equal(named("sales", "orders"), "sales__orders");
    assert.equal(named("sales", "Items"), "sales__Items");
    assert.equal(named("archive", "items"), "archive__items");
    // The contract has these themselves, and nothing like the last.
    assert.equal(named("sales", "items"), undefined);
    assert.equal(named("old", "invoices"), undefined);
    assert.equal(named("sales", "payments"), undefined);
  }));
