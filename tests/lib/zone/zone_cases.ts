import assert from "node:assert/strict";
import type { ListOptions, Zone } from "../../../lib/zone/zone.ts";

/** A promise that every kind of zone keeps. */
export interface ZoneCase {
  name: string;
  run(zone: Zone): Promise<void>;
}

const SEVERAL_PARTS_BYTES = 20_000_003;
const RACERS = 20;

/** The promises of `Zone`; each wants an empty zone. */
export const ZONE_CASES: readonly ZoneCase[] = [
  {
    name: "reads what was created, and finds nothing where nothing is",
    run: async (zone) => {
      await zone.create("_batches/000000001.json", bytesOf("one"));

      const stored = await zone.read("_batches/000000001.json");
      const head = await zone.head("_batches/000000001.json");

      assert.equal(textOf(stored?.bytes), "one");
      assert.equal(head?.bytes, 3);
      assert.equal(head?.etag, stored?.etag);
      assert.ok(Math.abs(Date.now() - Number(head?.modified)) < 60_000);
      assert.equal(await zone.read("_batches/000000002.json"), undefined);
      assert.equal(await zone.head("_batches/000000002.json"), undefined);
    },
  },
  {
    name: "lets one of twenty racing creates win, whole",
    run: async (zone) => {
      const racers = Array.from(
        { length: RACERS },
        (_, racer) => `by ${racer}`,
      );

      const won = await Promise.all(
        racers.map((racer) => zone.create("_batches/1", bytesOf(racer))),
      );

      assert.equal(won.filter(Boolean).length, 1);
      const stored = await zone.read("_batches/1");
      assert.equal(textOf(stored?.bytes), racers[won.indexOf(true)]);
      assert.equal((await Array.fromAsync(zone.list(""))).length, 1);
    },
  },
  {
    name: "replaces a file by put, on a condition only if it holds",
    run: async (zone) => {
      assert.equal(await zone.put("latest", bytesOf("1")), true);
      const first = await zone.head("latest");
      assert.equal(await zone.put("latest", bytesOf("2")), true);
      const second = await zone.head("latest");

      const stale = await zone.put("latest", bytesOf("3"), {
        ifMatch: first?.etag,
      });
      const fresh = await zone.put("latest", bytesOf("4"), {
        ifMatch: second?.etag,
      });
      const absent = await zone.put("none", bytesOf("5"), {
        ifMatch: second?.etag,
      });

      assert.deepEqual([stale, fresh, absent], [false, true, false]);
      assert.equal(textOf((await zone.read("latest"))?.bytes), "4");
      assert.equal(await zone.head("none"), undefined);
    },
  },
  {
    name: "lets one of twenty racing conditional puts win",
    run: async (zone) => {
      await zone.put("lake.duckdb", bytesOf("old"));
      const etag = (await zone.head("lake.duckdb"))?.etag;

      const won = await Promise.all(
        Array.from(
          { length: RACERS },
          (_, racer) =>
            zone.put("lake.duckdb", bytesOf(`n${racer}`), { ifMatch: etag }),
        ),
      );

      assert.equal(won.filter(Boolean).length, 1);
      const stored = await zone.read("lake.duckdb");
      assert.equal(textOf(stored?.bytes), `n${won.indexOf(true)}`);
    },
  },
  {
    name: "creates and puts files of more than one part",
    run: async (zone) => {
      const content = patternOf(SEVERAL_PARTS_BYTES);

      assert.equal(await zone.create("big", content), true);
      assert.equal(await zone.create("big", content), false);
      const etag = (await zone.head("big"))?.etag;
      assert.equal(await zone.put("big", content, { ifMatch: '"x"' }), false);
      assert.equal(await zone.put("big", content, { ifMatch: etag }), true);

      const stored = await zone.read("big");
      assert.equal(Buffer.compare(stored?.bytes ?? bytesOf(""), content), 0);
    },
  },
  {
    name: "writes a stream and streams it back, byte for byte",
    run: async (zone) => {
      const content = patternOf(SEVERAL_PARTS_BYTES);

      const bytes = await zone.write(
        "t/batch=1/a.csv",
        pieces(content, 70_001),
      );

      assert.equal(bytes, content.length);
      const streamed = await Array.fromAsync(
        await zone.stream("t/batch=1/a.csv"),
      );
      assert.equal(Buffer.compare(Buffer.concat(streamed), content), 0);
      assert.deepEqual(
        await zone.readRange("t/batch=1/a.csv", {
          offset: 9_999_990,
          length: 20,
        }).then((range) => [...range]),
        [...content.subarray(9_999_990, 10_000_010)],
      );
    },
  },
  {
    name: "writes an empty stream as an empty file",
    run: async (zone) => {
      const bytes = await zone.write("empty.csv", pieces(bytesOf(""), 1));

      assert.equal(bytes, 0);
      assert.equal((await zone.head("empty.csv"))?.bytes, 0);
    },
  },
  {
    name: "reads a range that the file's end cuts",
    run: async (zone) => {
      await zone.put("a", bytesOf("0123456789"));

      const cut = await zone.readRange("a", { offset: 8, length: 10 });
      const none = await zone.readRange("a", { offset: 10, length: 1 });

      assert.equal(textOf(cut), "89");
      assert.equal(none.length, 0);
    },
  },
  {
    name: "never writes over a data file",
    run: async (zone) => {
      await zone.write("a.csv", pieces(bytesOf("first"), 9));

      await assert.rejects(
        zone.write("a.csv", pieces(bytesOf("second"), 9)),
        { name: "StageError", subject: zone.url, message: /exists|already/ },
      );

      assert.equal(textOf((await zone.read("a.csv"))?.bytes), "first");
    },
  },
  {
    name: "leaves nothing of a stream that fails",
    run: async (zone) => {
      const failing = async function* () {
        yield* pieces(patternOf(SEVERAL_PARTS_BYTES), 1 << 20);
        throw new Error("the source went away");
      };

      await assert.rejects(zone.write("a.csv", failing()), {
        message: "the source went away",
      });

      assert.equal(await zone.head("a.csv"), undefined);
    },
  },
  {
    name: "ends a stream that hangs when the signal aborts",
    run: async (zone) => {
      const controller = new AbortController();
      const hanging = async function* () {
        yield* pieces(patternOf(SEVERAL_PARTS_BYTES), 1 << 20);
        setTimeout(() => controller.abort(new Error("SIGTERM")), 10);
        await new Promise(() => {});
      };

      await assert.rejects(
        zone.write("a.csv", hanging(), { signal: controller.signal }),
        { message: "SIGTERM" },
      );

      assert.equal(await zone.head("a.csv"), undefined);
    },
  },
  {
    name: "writes nothing when the signal was aborted before",
    run: async (zone) => {
      const signal = AbortSignal.abort(new Error("too late"));

      await assert.rejects(
        zone.write("a.csv", pieces(bytesOf("a"), 1), { signal }),
        { message: "too late" },
      );

      assert.equal(await zone.head("a.csv"), undefined);
    },
  },
  {
    name: "ends or closes the source of a stream that it cannot write",
    run: async (zone) => {
      let closed = false;
      let taken = 0;
      const source = {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            closed = ++taken > 20;
            return Promise.resolve({ done: closed, value: patternOf(1 << 20) });
          },
          return: () => {
            closed = true;
            return Promise.resolve({ done: true, value: undefined } as const);
          },
        }),
      };
      await zone.put("a.csv", bytesOf("there already"));

      await assert.rejects(zone.write("a.csv", source), {
        name: "StageError",
      });

      assert.equal(closed, true);
    },
  },
  {
    name: "lists by the start of the key, in order",
    run: async (zone) => {
      const keys = ["a/b/1", "a/b-c", "a/b.d", "a/c", "ab", "b/1"];
      for (const key of keys.toReversed()) await zone.put(key, bytesOf(key));

      const list = async (prefix: string, options?: ListOptions) =>
        (await Array.fromAsync(zone.list(prefix, options)))
          .map(({ key }) => key);

      assert.deepEqual(await list(""), [...keys].sort());
      assert.deepEqual(await list("a/"), ["a/b-c", "a/b.d", "a/b/1", "a/c"]);
      assert.deepEqual(await list("a/b"), ["a/b-c", "a/b.d", "a/b/1"]);
      assert.deepEqual(await list("a/b/"), ["a/b/1"]);
      assert.deepEqual(await list("none/"), []);
      assert.deepEqual(await list("a/", { after: "a/b-c" }), [
        "a/b.d",
        "a/b/1",
        "a/c",
      ]);
      assert.deepEqual(await list("a/", { after: "a/c" }), []);
      const [first] = await Array.fromAsync(zone.list("ab"));
      assert.equal(first?.bytes, 2);
      assert.ok(Math.abs(Date.now() - Number(first?.modified)) < 60_000);
    },
  },
  {
    name: "removes a file, also one that is not there",
    run: async (zone) => {
      await zone.put("a", bytesOf("a"));

      await zone.remove("a");
      await zone.remove("a");

      assert.equal(await zone.head("a"), undefined);
    },
  },
  {
    name: "tells its time",
    run: async (zone) => {
      const before = Date.now();

      const now = (await zone.now()).getTime();

      await zone.put("a", bytesOf("a"));
      const written = (await zone.head("a"))?.modified.getTime() ?? 0;
      assert.ok(Math.abs(now - before) < 2000, `${now} at ${before}`);
      assert.ok(Math.abs(now - written) < 2000, `${now} at ${written}`);
      assert.equal((await Array.fromAsync(zone.list(""))).length, 1);
    },
  },
  {
    name: "refuses keys that are no names",
    run: async (zone) => {
      const wrong = ["", "/a", "a/", "a//b", "../a", "a/../b", ".lock", "a b"];
      for (const key of wrong) {
        await assert.rejects(async () => await zone.read(key), {
          name: "TypeError",
          message: `Cannot use the key "${key}" in a zone: not a name`,
        });
        assert.throws(() => zone.locate(key), TypeError);
      }
      await assert.rejects(Array.fromAsync(zone.list("../../")), TypeError);
      assert.equal(zone.locate("t/a.csv"), `${zone.url}/t/a.csv`);
    },
  },
  {
    name: "fails to read a range or a stream of a file that is not there",
    run: async (zone) => {
      const refusal = {
        name: "StageError",
        subject: zone.url,
        message: /^Cannot read "none" in the zone /,
      };
      await assert.rejects(
        zone.readRange("none", { offset: 0, length: 1 }),
        refusal,
      );
      await assert.rejects(zone.stream("none"), refusal);
    },
  },
];

/** UTF-8 bytes of a text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The text of UTF-8 bytes. */
export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}

/** Bytes in which no two blocks of a part's size are alike. */
export function patternOf(length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0; index < words.length; index++) {
    words[index] = Math.imul(index, 2654435761);
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Content as a stream of pieces. */
export async function* pieces(
  content: Uint8Array,
  bytes: number,
): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += bytes) {
    yield await Promise.resolve(content.subarray(start, start + bytes));
  }
}
