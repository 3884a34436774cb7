import assert from "node:assert/strict";
import { unzipFile } from "../../lib/zip.ts";
import { bytesOf, textOf } from "./zone_cases.ts";

Deno.test("unzipFile() finds a stored and a packed file among others", async () => {
  const archive = await zipOf([
    { name: "a/first.txt", text: "first", method: 0 },
    { name: "a/second.txt", text: "second ".repeat(100), method: 8 },
    { name: "a/third.bin", text: "third", method: 8 },
  ]);

  assert.equal(textOf(await unzipFile(archive, "first.txt")), "first");
  assert.equal(
    textOf(await unzipFile(archive, "/second.txt")),
    "second ".repeat(100),
  );
  assert.equal(await unzipFile(archive, "fourth.txt"), undefined);
});

Deno.test("unzipFile() refuses what it cannot read", async () => {
  const packed = await zipOf([{ name: "a", text: "a", method: 12 }]);
  const damaged = await zipOf([{ name: "a", text: "a", method: 0 }]);
  damaged.set([0, 0], damaged.length - 22 - 46 - 1);

  await assert.rejects(unzipFile(packed, "a"), {
    message: "the zip archive is packed by method 12",
  });
  await assert.rejects(unzipFile(damaged, "a"), {
    message: "the zip archive's directory is damaged",
  });
  for (const text of ["", "no zip", "n".repeat(1000)]) {
    await assert.rejects(unzipFile(bytesOf(text), "a"), {
      message: "this is no zip archive",
    });
  }
});

interface ZippedFile {
  name: string;
  text: string;
  /** 0 stored, 8 deflated; any other is stored and claimed. */
  method: number;
}

async function zipOf(files: ZippedFile[]): Promise<Uint8Array<ArrayBuffer>> {
  const locals: number[] = [];
  const entries: number[] = [];
  for (const { name, text, method } of files) {
    const content = method === 8 ? await deflate(text) : bytesOf(text);
    const offset = locals.length;
    const common = [
      ...[...short(20), ...short(0), ...short(method), ...long(0), ...long(0)],
      ...[...long(content.length), ...long(text.length)],
      ...[...short(name.length), ...short(0)],
    ];
    locals.push(...long(0x04034b50), ...common, ...bytesOf(name), ...content);
    entries.push(...long(0x02014b50), ...short(20), ...common);
    entries.push(...short(0), ...short(0), ...short(0), ...long(0));
    entries.push(...long(offset), ...bytesOf(name));
  }
  const count = short(files.length);
  return new Uint8Array([
    ...locals,
    ...entries,
    ...long(0x06054b50),
    ...[...short(0), ...short(0), ...count, ...count],
    ...[...long(entries.length), ...long(locals.length), ...short(0)],
  ]);
}

async function deflate(text: string): Promise<Uint8Array> {
  const packed = new Blob([text]).stream()
    .pipeThrough(new CompressionStream("deflate-raw"));
  return await new Response(packed).bytes();
}

function short(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function long(value: number): number[] {
  return [...short(value & 0xffff), ...short(value >>> 16)];
}
