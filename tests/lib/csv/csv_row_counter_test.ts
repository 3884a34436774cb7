import assert from "node:assert/strict";
import { CsvRowCounter } from "../../../lib/csv/csv_row_counter.ts";

const CSV = 'a,b\n1,"x\ny"\n2,"say ""hi"""\n3,""\n';

Deno.test("CsvRowCounter counts records, wherever the bytes are cut", () => {
  const bytes = new TextEncoder().encode(CSV);
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      const counter = new CsvRowCounter();
      const added = [
        counter.add(bytes.subarray(0, first)),
        counter.add(bytes.subarray(first, second)),
        counter.add(bytes.subarray(second)),
      ];
      assert.equal(counter.rows, 3);
      assert.equal(counter.rowsAreLines, false);
      assert.equal(counter.rowBytesMax, '2,"say ""hi"""\n'.length);
      assert.equal(added.reduce((sum, rows) => sum + rows, 0), 3);
    }
  }
});

Deno.test("CsvRowCounter knows whether a text has a line break", () => {
  const counter = new CsvRowCounter();
  counter.add(new TextEncoder().encode('a\n"say ""hi"", \r"\n'));
  assert.equal(counter.rowsAreLines, true);
  counter.add(new TextEncoder().encode('"x\ny"\n'));
  assert.equal(counter.rowsAreLines, false);
});
