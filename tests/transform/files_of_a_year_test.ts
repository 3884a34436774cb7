import assert from "node:assert/strict";
import { Random } from "../../demo/random.ts";
import type { LiveFile } from "../../lib/batches/manifest.ts";
import { dueMerges } from "../../transform/files/due_merges.ts";
import { levelOfMerged } from "../../transform/files/write_merged.ts";

const YEAR = 35_000;
const FILES_MAX = 50;
/** As transform has them by default. */
const BOUNDS = { fanOut: 10, bytesMax: 256e6, laterRowsMin: 100_000 };

for (
  const { batches, rows, groups } of [
    { batches: "batches of 3,000 rows", rows: 3000, groups: false },
    { batches: "small batches, some in groups", rows: 4, groups: true },
  ]
) {
  Deno.test(`a model has at most 50 files after each of 35,000 ${batches}`, () => {
    const random = new Random(1);
    let files: LiveFile[] = [];
    for (let from = 1; from <= YEAR;) {
      const isGroup = groups && random.between(1, 200) === 1;
      const count = isGroup ? random.between(20, 500) : 1;
      const level = Math.floor(Math.log10(count));
      files = mergeAll(files);
      const to = from + count - 1;
      files.push(file({ from, to, level, rows: count * rows }));

      assert(
        files.length <= FILES_MAX,
        `${files.length} files after batch ${to}`,
      );
      from += count;
    }
  });
}

Deno.test("files between two large ones, or before other columns, become one", () => {
  const random = new Random(1);
  let files: LiveFile[] = [];
  for (let batch = 1; batch <= 5000; batch++) {
    files = mergeAll(files);
    const rows = random.between(1, 20) === 1
      ? random.between(1, 10_000_000)
      : random.between(1, 1000);
    const columns = batch <= 2500 ? "before" : "after";
    files.push({
      ...file({ from: batch, to: batch, level: 0, rows }),
      columns,
    });
    const large = files.filter(({ bytes }) => bytes > BOUNDS.bytesMax / 2);

    assert(
      files.length <= FILES_MAX + 2 * large.length,
      `${files.length} files, ${large.length} of them large, after ${batch}`,
    );
  }
});

/** A file of a model, with thirty bytes a row and those of a Parquet file. */
function file(
  one: Pick<LiveFile, "from" | "to" | "level" | "rows">,
): LiveFile {
  const bytes = 3000 + 30 * one.rows;
  return { ...one, bytes, model: "one", key: String(one.from), sha256: "" };
}

function columnsOf({ columns }: LiveFile): Pick<LiveFile, "columns"> {
  return columns === undefined ? {} : { columns };
}

/** The files after the merges that a batch makes, without their content. */
function mergeAll(files: readonly LiveFile[]): LiveFile[] {
  const gone = new Set<LiveFile>();
  const merged: LiveFile[] = [];
  for (const merge of dueMerges(files, BOUNDS)) {
    const [first, last] = [merge[0], merge.at(-1)];
    assert(first !== undefined && last !== undefined);
    if (merge.some((one) => gone.has(one))) continue;
    for (const one of merge) gone.add(one);
    const rows = merge.reduce((sum, one) => sum + one.rows, 0);
    const [from, to] = [first.from, last.to];
    const level = levelOfMerged(merge);
    merged.push({ ...file({ from, to, level, rows }), ...columnsOf(first) });
  }
  return [...files.filter((one) => !gone.has(one)), ...merged];
}
