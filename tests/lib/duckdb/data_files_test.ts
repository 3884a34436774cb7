import assert from "node:assert/strict";
import {
  columnsHash,
  readLikeSql,
  readParquetSql,
} from "../../../lib/duckdb/data_files.ts";
import { checkFiles } from "../../../lib/batches/check_files.ts";
import { StageError } from "../../../lib/errors.ts";
import { sha256Hex, sha256OfStream } from "../../../lib/zone/checksum.ts";
import { openZone } from "../../../lib/zone/zone.ts";

Deno.test("checkFiles() names a file that is missing, cut or changed", async () => {
  const folder = await Deno.makeTempDir();
  const zone = openZone(folder, { s3: undefined });
  const content = new TextEncoder().encode("some rows");
  await zone.put("t/a.csv", content);
  const { sha256, bytes } = await sha256OfStream(await zone.stream("t/a.csv"));
  const file = { key: "t/a.csv", bytes, sha256, rows: 1 };

  await checkFiles(zone, [file]);
  const damaged: [object, RegExp][] = [
    [{ key: "t/b.csv" }, /b.csv: the manifest lists it, and it is missing/],
    [{ bytes: 10 }, /a.csv: it has 9 bytes, the manifest says 10/],
    [{ sha256: sha256Hex("x") }, /a.csv: its content does not match/],
  ];
  for (const [change, message] of damaged) {
    await assert.rejects(
      checkFiles(zone, [{ ...file, ...change }]),
      (error) => {
        assert(error instanceof StageError);
        assert.match(error.message, message);
        return true;
      },
    );
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("readParquetSql() quotes what is in a path", () => {
  const zone = openZone("/tmp/it's", { s3: undefined });
  assert.equal(
    readParquetSql(zone, [{ key: "a.parquet" }]),
    "read_parquet(['/tmp/it''s/a.parquet'], hive_partitioning = false)",
  );
});

Deno.test("readLikeSql() inspects only files that may lack columns", () => {
  const zone = openZone("/zone", { s3: undefined });
  const columns = [
    { name: "id", type: "INTEGER" },
    { name: "name", type: "VARCHAR" },
  ];
  const like = columnsHash(columns);
  const read = (files: { key: string; columns?: string }[]) =>
    readLikeSql(zone, files, columns);
  const files = [
    { key: "a", columns: like },
    { key: "b" },
    { key: "c", columns: "other" },
    { key: "d", columns: like },
  ];

  const alike = read(files.filter((file) => file.columns === like));
  const all = read(files);

  assert.equal(
    alike,
    `(select "id", "name" from read_parquet(['/zone/a', '/zone/d'], hive_partitioning = false))`,
  );
  const reads = all.match(/read_parquet\([^)]*\)/g);
  assert.deepEqual(reads, [
    "read_parquet(['/zone/a', '/zone/d'], hive_partitioning = false)",
    "read_parquet(['/zone/b'], hive_partitioning = false, union_by_name = true)",
    "read_parquet(['/zone/c'], hive_partitioning = false)",
  ]);
  assert.notEqual(like, columnsHash(columns.toReversed()));
  assert.notEqual(
    like,
    columnsHash([{ name: "id", type: "BIGINT" }, ...columns.slice(1)]),
  );
});
