import assert from "node:assert/strict";
import {
  doubledRules,
  quarantinedTable,
  quarantineName,
} from "../../../lib/project/quarantine_file.ts";

Deno.test("quarantineName() gives each table a file of its own, in which it is found again", () => {
  const names = [
    "a/b",
    "a%2Fb",
    "a%2fb",
    "a%252Fb",
    "a\\b",
    "a%5Cb",
    "%/",
    "%%2F",
    "%25",
    "%2525",
    "200%",
    "100%2",
  ];
  const tables = names.map((name) => ({ name }));

  const files = names.map(quarantineName);

  assert.equal(new Set(files).size, names.length);
  assert.deepEqual(
    files.map((file) => quarantinedTable(file, tables)),
    names,
  );
  assert.deepEqual(files.filter((file) => /[/\\]/.test(file)), []);
  // A percent that starts no code stays.
  assert.equal(quarantineName("200%"), "200%");
});

Deno.test("quarantinedTable() takes a table's own name where no other table has the file", () => {
  const name = "a%2Fb";

  assert.equal(quarantinedTable(name, [{ name }]), name);
  assert.equal(quarantinedTable(name, [{ name }, { name: "a/b" }]), "a/b");
});

Deno.test("doubledRules() names the files that are rules of one table", () => {
  const tables = [{ name: "a%2Fb" }, { name: "item" }];

  assert.deepEqual(doubledRules(["a%2Fb", "a%252Fb", "item"], tables), [
    'sql/quarantine has several files for the table "a%2Fb": a%2Fb.sql, a%252Fb.sql',
  ]);
  assert.deepEqual(doubledRules(["a%252Fb", "item"], tables), []);
});
