import assert from "node:assert/strict";
import {
  sha256Hex,
  sha256OfStream,
  shortChecksum,
} from "../../../lib/zone/checksum.ts";

const SHA256_OF_ABC =
  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const SHA256_OF_NOTHING =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

Deno.test("sha256Hex() is standard SHA-256, of text and of bytes", () => {
  assert.equal(sha256Hex("abc"), SHA256_OF_ABC);
  assert.equal(sha256Hex(new Uint8Array([97, 98, 99])), SHA256_OF_ABC);
});

Deno.test("sha256OfStream() doesn't depend on where the chunks are cut", async () => {
  const cut = async function* (...texts: string[]) {
    for (const text of texts) {
      yield await Promise.resolve(new TextEncoder().encode(text));
    }
  };
  const whole = { sha256: SHA256_OF_ABC, bytes: 3 };

  assert.deepEqual(await sha256OfStream(cut("abc")), whole);
  assert.deepEqual(await sha256OfStream(cut("a", "", "bc")), whole);
  assert.deepEqual(await sha256OfStream(cut()), {
    sha256: SHA256_OF_NOTHING,
    bytes: 0,
  });
});

Deno.test("shortChecksum() is the beginning of the SHA-256", () => {
  const short = shortChecksum(new TextEncoder().encode("abc"));

  assert.equal(short, SHA256_OF_ABC.slice(0, 16));
});
