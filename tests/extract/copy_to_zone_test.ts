import assert from "node:assert/strict";
import { copyToZone } from "../../extract/copy_to_zone.ts";
import { SILENT } from "../../lib/cli/progress.ts";
import { CSV_ROW_BYTES_MAX } from "../../lib/csv/csv_row.ts";
import { StageError } from "../../lib/errors.ts";
import { sha256OfStream } from "../../lib/zone/checksum.ts";
import { openZone, type Zone } from "../../lib/zone/zone.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";

Deno.test("copyToZone() writes a file and returns its rows, bytes and checksum", async () => {
  const folder = await Deno.makeTempDir();
  const zone = openZone(folder, { s3: undefined });

  const file = await copyTo(
    zone,
    "select n as a, repeat('z', 300000) as b from generate_series(1, 5) as n",
  );

  const { sha256, bytes } = await sha256OfStream(await zone.stream("t/1.csv"));
  assert.deepEqual(file, {
    key: "t/1.csv",
    bytes,
    rows: 5,
    sha256,
    rowsAreLines: true,
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("copyToZone() writes no file when there are no rows, or when it fails", async () => {
  const folder = await Deno.makeTempDir();
  const zone = openZone(folder, { s3: undefined });

  assert.equal(await copyTo(zone, "select 1 as a where false"), undefined);
  assert.equal(await zone.head("t/1.csv"), undefined);
  await assert.rejects(
    copyTo(
      zone,
      "select 1 / (200000 - n) from generate_series(1, 300000) as n",
    ),
    /division by zero/,
  );
  assert.equal(await zone.head("t/1.csv"), undefined);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("copyToZone() refuses a row that is too long as CSV, and leaves no file", async () => {
  const folder = await Deno.makeTempDir();
  const zone = openZone(folder, { s3: undefined });
  const rows = (bytes: number) =>
    `select repeat('z', ${bytes - 1}) from generate_series(1, 2)`;

  await assert.rejects(copyTo(zone, rows(CSV_ROW_BYTES_MAX + 1)), (error) => {
    assert(error instanceof StageError);
    assert.equal(
      error.message,
      'Cannot read "t": a row is longer than 16 MiB as CSV',
    );
    assert.equal(error.subject, "t");
    assert.match(error.hint ?? "", /^Shorten the row/);
    return true;
  });
  assert.deepEqual(await Array.fromAsync(zone.list("")), []);

  const file = await copyTo(zone, rows(CSV_ROW_BYTES_MAX));
  assert.equal(file?.rows, 2);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("copyToZone() leaves no file when the zone fails, and throws its error", async () => {
  const folder = await Deno.makeTempDir();
  const zone = openZone(folder, { s3: undefined });
  const failure = new StageError("Cannot write to the zone: no space", {
    subject: folder,
  });
  const full: Zone = Object.create(zone, {
    write: {
      value: (key: string, content: AsyncIterable<Uint8Array>) =>
        zone.write(key, endingIn(failure, content)),
    },
  });

  await assert.rejects(
    copyTo(full, "select repeat('z', 1000) from generate_series(1, 5000)"),
    failure,
  );

  assert.equal(await zone.head("t/1.csv"), undefined);
  assert.deepEqual(await Array.fromAsync(zone.list("")), []);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("copyToZone() leaves no file when it is stopped", async () => {
  const folder = await Deno.makeTempDir();
  const zone = openZone(folder, { s3: undefined });
  await using database = await openTestDatabase();
  const stopping = new AbortController();
  const reason = new DOMException("asked to stop", "AbortError");

  const shipping = copyToZone(
    database.client,
    "select repeat('z', 1000) from generate_series(1, 50000)",
    {
      table: "t",
      zone,
      key: "t/1.csv",
      progress: { ...SILENT, add: () => stopping.abort(reason) },
      signal: stopping.signal,
    },
  );

  await assert.rejects(shipping, reason);
  assert.deepEqual(await Array.fromAsync(zone.list("")), []);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("copyToZone() reports progress of every row and byte", async () => {
  const folder = await Deno.makeTempDir();
  const zone = openZone(folder, { s3: undefined });
  await using database = await openTestDatabase();
  const total = { rows: 0, bytes: 0 };

  const file = await copyToZone(
    database.client,
    "select n, repeat('z', 500) from generate_series(1, 2000) as n",
    {
      table: "t",
      zone,
      key: "t/1.csv",
      progress: {
        ...SILENT,
        add: ({ rows = 0, bytes = 0 }) => {
          total.rows += rows;
          total.bytes += bytes;
        },
      },
      signal: new AbortController().signal,
    },
  );

  assert.deepEqual(total, { rows: 2000, bytes: file?.bytes });
  await Deno.remove(folder, { recursive: true });
});

/** The first pieces of some content, then an error. */
async function* endingIn(
  error: Error,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let pieces = 0;
  for await (const piece of content) {
    yield piece;
    if (++pieces === 3) throw error;
  }
}

async function copyTo(zone: Zone, select: string) {
  await using database = await openTestDatabase();
  return await copyToZone(database.client, select, {
    table: "t",
    zone,
    key: "t/1.csv",
    progress: SILENT,
    signal: new AbortController().signal,
  });
}
