import assert from "node:assert/strict";
import { readKeyLists } from "../../extract/read_key_lists.ts";
import type { KeyBucket } from "../../lib/batches/manifest.ts";
import { shortChecksum } from "../../lib/zone/checksum.ts";

const FILES = ["[1]\n[22]\n[333]\n", "[4]\n[5]\n"];
const bytesOf = (text: string) => new TextEncoder().encode(text);
const bucket = (file: number, list: string): KeyBucket => [
  list,
  1,
  "",
  file,
  FILES[file]?.indexOf(list) ?? 0,
  list.length,
  shortChecksum(bytesOf(list)),
];

Deno.test("readKeyLists() reads neighbouring lists in one request, and returns them in order", async () => {
  const read: string[] = [];
  const zone = {
    locate: (key: string) => key,
    readRange: (
      key: string,
      { offset, length }: { offset: number; length: number },
    ) => {
      const text = FILES[Number(key)]?.slice(offset, offset + length) ?? "";
      read.push(text);
      return Promise.resolve(bytesOf(text));
    },
  };
  const files = FILES.map((text, index) => ({
    key: String(index),
    bytes: text.length,
    rows: 1,
    sha256: "",
  }));

  const lists = await readKeyLists(zone, { key: "", files, buckets: [] }, [
    bucket(0, "[1]"),
    bucket(0, "[22]"),
    bucket(1, "[4]"),
    bucket(1, "[5]"),
    bucket(0, "[333]"),
    bucket(0, "[1]"),
  ]);

  assert.deepEqual(lists, ["[1]", "[22]", "[4]", "[5]", "[333]", "[1]"]);
  assert.deepEqual(read, ["[1]\n[22]", "[4]\n[5]", "[333]", "[1]"]);
});
