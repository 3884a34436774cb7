import assert from "node:assert/strict";
import { chunks } from "../../../lib/zone/chunks.ts";

Deno.test("chunks() cuts content into equal chunks, whatever its pieces", async () => {
  for (
    const pieces of [["abcdefg"], ["a", "bcdefg"], ["abc", "", "def", "g"]]
  ) {
    const found = await textsOf(chunks(content(pieces), { bytes: 3 }));

    assert.deepEqual(found, ["abc", "def", "g"]);
  }
  assert.deepEqual(await textsOf(chunks(content([]), { bytes: 3 })), []);
  assert.deepEqual(
    await textsOf(chunks(content(["abcdef"]), { bytes: 3 })),
    ["abc", "def"],
  );
});

Deno.test("chunks() gives each chunk memory of its own", async () => {
  const kept: Uint8Array[] = [];
  for await (const chunk of chunks(content(["abcdef"]), { bytes: 3 })) {
    kept.push(chunk);
  }

  assert.deepEqual(kept.map(textOf), ["abc", "def"]);
});

Deno.test("chunks() throws the content's error", async () => {
  const failing = content(["ab"], () => {
    throw new Error("gone");
  });

  await assert.rejects(textsOf(chunks(failing, { bytes: 3 })), /^Error: gone/);
});

Deno.test("chunks() stops content that hangs, with the signal's reason", async () => {
  const stopping = new AbortController();
  const hanging = content(["abc"], () => {
    stopping.abort(new Error("asked to stop"));
    return new Promise(() => {});
  });
  const found: string[] = [];

  await assert.rejects(async () => {
    for await (
      const chunk of chunks(hanging, { bytes: 3, signal: stopping.signal })
    ) found.push(textOf(chunk));
  }, /^Error: asked to stop/);

  assert.deepEqual(found, ["abc"]);
});

Deno.test("chunks() reads nothing when it is stopped beforehand", async () => {
  const signal = AbortSignal.abort(new Error("stopped before"));

  await assert.rejects(
    textsOf(chunks(content(["abc"]), { bytes: 3, signal })),
    /^Error: stopped before/,
  );
});

Deno.test("chunks() closes the content of a reader that leaves early", async () => {
  for (const signal of [undefined, new AbortController().signal]) {
    let closed = false;
    const open = (async function* () {
      try {
        yield* content(["abc", "def"]);
      } finally {
        closed = true;
      }
    })();

    for await (const _chunk of chunks(open, { bytes: 3, signal })) break;
    await Promise.resolve();

    assert.equal(closed, true, `signal ${signal}`);
  }
});

async function* content(
  pieces: readonly string[],
  atEnd: () => Promise<unknown> | void = () => {},
): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    yield await Promise.resolve(new TextEncoder().encode(piece));
  }
  await atEnd();
}

async function textsOf(
  pieces: AsyncIterable<Uint8Array>,
): Promise<string[]> {
  const texts: string[] = [];
  for await (const piece of pieces) texts.push(textOf(piece));
  return texts;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
