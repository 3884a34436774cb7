import assert from "node:assert/strict";
import { type ProcessedManifest } from "../../../lib/batches/manifest.ts";
import { StageError } from "../../../lib/errors.ts";
import {
  decodeManifest,
  encodeManifest,
} from "../../../lib/batches/encode_manifest.ts";

const MANIFEST: ProcessedManifest = {
  format: 1,
  stage: "transform",
  batch: 7,
  runId: "run",
  lakeId: "lake",
  snapshotTime: "2026-01-01T00:00:00.000001Z",
  committedAt: "2026-01-01T00:00:01Z",
  engine: { duckdb: "v1.5.5" },
  inputSha256: "abc",
  transformHash: "def",
  models: {},
  state: {},
  quarantined: 0,
};
const EXPECTED = { file: "zone/7.json", stage: "transform", batch: 7 } as const;

Deno.test("decodeManifest() reads what encodeManifest() wrote", () => {
  const decoded = decodeManifest<ProcessedManifest>(
    encodeManifest(MANIFEST),
    EXPECTED,
  );

  assert.deepEqual(decoded, MANIFEST);
});

const bytes = encodeManifest(MANIFEST);
const text = new TextDecoder().decode(bytes);
const encode = (content: string) => new TextEncoder().encode(content);
const DAMAGED: [
  what: string,
  bytes: Uint8Array,
  problem: RegExp,
  hint?: RegExp,
][] = [
  [
    "a page in its place",
    encode("\n<!doctype html><title>Sign in</title>"),
    /it is a page of HTML or XML/,
    /^Check AWS_ENDPOINT_URL, .* Restore the file/,
  ],
  ["a truncated one", bytes.subarray(0, 40), /it is not JSON/],
  ["an empty one", new Uint8Array(), /it is not JSON/],
  ["an edited one", encode(text.replace('"def"', '"deg"')), /its checksum/],
  ["one of no manifest", encode("{}"), /its checksum/],
  [
    "one of another form",
    encodeManifest({ ...MANIFEST, format: 2 as 1 }),
    /its format is 2, this version reads 1/,
    /^A newer version wrote it/,
  ],
  [
    "one of another stage",
    encodeManifest({ ...MANIFEST, stage: "extract" as "transform" }),
    /it belongs to extract, not to transform/,
    /^Correct INGESTION_URL/,
  ],
  [
    "one of another batch",
    encodeManifest({ ...MANIFEST, batch: 8 }),
    /it belongs to batch 8/,
  ],
];

for (const [what, content, problem, hint = /^Restore/] of DAMAGED) {
  Deno.test(`decodeManifest() refuses ${what}`, () => {
    assert.throws(
      () => decodeManifest<ProcessedManifest>(content, EXPECTED),
      (error) => {
        assert(error instanceof StageError);
        assert.equal(error.subject, "zone/7.json");
        assert.match(error.message, problem);
        assert.match(error.hint ?? "", hint);
        return true;
      },
    );
  });
}
