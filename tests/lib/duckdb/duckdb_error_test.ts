import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import {
  dataFileError,
  duckDbCause,
} from "../../../lib/duckdb/duckdb_error.ts";
import { StageError } from "../../../lib/errors.ts";

const PASSING: [string, RegExp][] = [
  [
    "Out of Memory Error: failed to allocate data of size 32.0 KiB (488.2 MiB/488.2 MiB used)",
    /DUCKDB_MEMORY_LIMIT/,
  ],
  ["Out of Memory Error: could not allocate block of size 256.0 KiB", /memory/],
  [
    "Out of Memory Error: failed to offload data block of size 256.0 KiB (1.0 GiB/1.0 GiB used). This limit was set by the 'max_temp_directory_size' setting.",
    /memory/,
  ],
  ["IO Error: write failed: No space left on device", /disk is full/],
  ['IO Error: Cannot open file "/zone/x.csv": Too many open files', /ulimit/],
  ["INTERRUPT Error: Interrupted!", /interrupted/],
  [
    "HTTP Error: HTTP GET error on 'http://s3/zone/x.csv' (HTTP 503)",
    /could not be reached/,
  ],
  [
    "HTTP Error: Unable to connect to URL http://s3/zone/x.csv: 429 (Too Many Requests)",
    /could not be reached/,
  ],
  [
    "IO Error: Could not establish connection error for HTTP HEAD to 'http://s3/x'",
    /could not be reached/,
  ],
  [
    "IO Error: SSL connection failed error for HTTP GET: Connection reset by peer, connection reset",
    /could not be reached/,
  ],
];
const DAMAGE = [
  "Invalid Input Error: CSV Error on Line: 2 Expected Number of Columns: 3 Found: 2",
  "Invalid Error: No magic bytes found at end of file '/zone/x.parquet'",
  'IO Error: No files found that match the pattern "/zone/x.csv"',
  'HTTP Error: Unable to connect to URL "http://s3/x.csv": 404 (Not Found).',
  "HTTP Error: HTTP GET error on 'http://s3/x.csv' (HTTP 416)",
  "TProtocolException: Invalid data",
  "Conversion Error: Could not convert string 'call interrupted' to INT32",
  "Invalid Input Error: CSV Error on Line: 2 Original Line: 1,permission denied",
];

for (const [message, hint] of PASSING) {
  Deno.test(`dataFileError() is retryable for: ${message.slice(0, 60)}`, () => {
    const error = dataFileError(new Error(message), {
      action: "read",
      subject: "/zone/x",
      task: "load",
    });

    assert.equal(error.message, `Cannot read /zone/x: ${message}`);
    assert.equal(error.subject, "/zone/x");
    assert.equal(error.retryable, true);
    assert.match(error.hint ?? "", hint);
    assert.doesNotMatch(error.hint ?? "", /Restore/);
  });
}

for (
  const found of [
    'IO Error: Could not write all bytes to file "/temp/x.csv": wanted=1024 wrote=-1: No space left on device',
    'IO Error: Could not write file "/temp/x.csv": Disk quota exceeded',
  ]
) {
  Deno.test(`dataFileError() names the file that was not written: ${found.slice(0, 60)}`, () => {
    const error = dataFileError(new Error(found), {
      action: "read",
      subject: "/zone/x",
      task: "load",
    });

    assert.equal(error.message, `Cannot write /temp/x.csv: ${found}`);
    assert.equal(error.subject, "/temp/x.csv");
    assert.equal(error.retryable, true);
    assert.match(error.hint ?? "", /disk is full/);
  });
}

Deno.test("dataFileError() names what DuckDB can't write, not what it reads", async () => {
  const duckdb = await DuckDBInstance.create();
  const connection = await duckdb.connect();
  const error = await connection.run(
    "copy (select * from range(100000)) to '/dev/full' (format csv)",
  ).catch((error) =>
    dataFileError(error, { action: "read", subject: "/zone/x", task: "load" })
  );
  connection.closeSync();
  duckdb.closeSync();

  assert(error instanceof StageError);
  assert.match(error.message, /^Cannot write \/dev\/full: .*No space left/);
});

Deno.test("dataFileError() has what was garbled on its way sent again", () => {
  const error = dataFileError(
    new Error(
      'HTTP Error: Unable to connect to URL "http://s3/x": Bad Request (HTTP code 400)\n\nBadDigest: Why',
    ),
    { action: "write", subject: "s3://x", task: "transform" },
  );

  assert.equal(error.retryable, true);
  assert.match(error.hint ?? "", /^What was sent did not arrive whole/);
});

for (const message of DAMAGE) {
  Deno.test(`dataFileError() reports a damaged file for: ${message.slice(0, 60)}`, () => {
    assert.equal(duckDbCause(new Error(message)), undefined);
    const error = dataFileError(new Error(message), {
      action: "read",
      subject: "/zone/x",
      task: "load",
    });

    assert.equal(error.retryable, false);
    assert.match(error.hint ?? "", /^Restore the file .*, then run load$/);
  });
}

for (
  const [action, reason, hint] of [
    ["read", "Permission denied", /^Check the rights/],
    ["write", "Read-only file system", /^Choose a directory on a disk/],
    ...["403 (Forbidden)", "Forbidden (HTTP code 403)"].map((answer) =>
      [
        "write",
        `HTTP Error: Unable to connect to URL "http://s3/x": ${answer}`,
        /^Allow these keys s3:GetObject/,
      ] as const
    ),
    [
      "write",
      'Unable to connect to URL "http://s3/x": Method Not Allowed (HTTP code 405)\n\nMethodNotAllowed: Why',
      /^The store refuses such a request/,
    ],
    [
      "write",
      "Unable to connect to URL http://s3/x: No Content (HTTP code 204)",
      /^This is no answer of an S3 server/,
    ],
    [
      "read",
      "HTTP GET error on 'http://s3/x' (HTTP 400)",
      /^The store refuses such a request/,
    ],
    [
      "read",
      "Unable to connect to URL http://s3/x: 403 (Forbidden)\n\nInvalidObjectState: Why",
      /archival storage/,
    ],
    [
      "write",
      "Unable to connect to URL http://s3/x: Insufficient Storage (HTTP code 507)",
      /^Free space in the bucket/,
    ],
  ] as const
) {
  Deno.test(`dataFileError() is not retryable for: ${reason}`, () => {
    const error = dataFileError(
      new Error(`IO Error: Cannot open file "/zone/x": ${reason}`),
      { action, subject: "/zone/x", task: "transform" },
    );

    assert.equal(error.retryable, false);
    assert.match(error.hint ?? "", hint);
  });
}
