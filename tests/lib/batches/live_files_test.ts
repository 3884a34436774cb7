import assert from "node:assert/strict";
import { BatchLog } from "../../../lib/batches/batch_log.ts";
import {
  LIVE_ENTRIES_MAX,
  type LiveList,
  nextLiveFiles,
  ownFiles,
  readLiveFiles,
  readLiveList,
} from "../../../lib/batches/live_files.ts";
import type {
  LiveFile,
  ProcessedManifest,
} from "../../../lib/batches/manifest.ts";
import { StageError } from "../../../lib/errors.ts";
import { openZone, type Zone } from "../../../lib/zone/zone.ts";
import { emptyManifest } from "../../harness/manifests.ts";

const MERGED = 10;
const BATCHES = 150;

type Log = BatchLog<ProcessedManifest>;

async function withLog(work: (log: Log) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const zone = openZone(folder, { s3: undefined });
    await work(new BatchLog<ProcessedManifest>(zone, "transform"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A batch that brings two versions of one model, and one of another. */
function batchOf(batch: number): ProcessedManifest {
  const file = (model: string, rows: number) => ({
    key: `${model}/${batch}.parquet`,
    bytes: 100,
    rows,
    sha256: "",
  });
  const runId = `20261128T000000Z-${String(batch).padStart(8, "0")}`;
  return {
    ...emptyManifest(batch, runId),
    models: {
      one: { files: [file("one", 2)], deletes: 0, columns: "like" },
      other: { files: [file("other", 1)], deletes: 0 },
    },
  };
}

/** Ten files of a model become one. */
function mergeFirst(files: readonly LiveFile[]): LiveFile[] {
  const small = files.filter(({ model, level }) =>
    model === "one" && level === 0
  ).slice(0, MERGED);
  const [first] = small;
  if (small.length < MERGED || first === undefined) return [...files];
  const to = small.at(-1)?.to ?? 0;
  const rows = small.reduce((sum, file) => sum + file.rows, 0);
  const key = `one/merged-${first.from}-${to}.parquet`;
  return [
    ...files.filter((file) => !small.includes(file)),
    { ...first, key, to, rows, level: 1 },
  ];
}

async function commitNext(log: Log, before: LiveList): Promise<LiveList> {
  const manifest = batchOf(await log.newestNumber() + 1);
  const { live, list } = await nextLiveFiles(log.zone, {
    batch: manifest.batch,
    before,
    merged: mergeFirst(before.files),
    own: ownFiles(manifest),
    runId: manifest.runId,
  });
  await log.commit({ ...manifest, live });
  return list;
}

async function commitAll(log: Log, batches = BATCHES): Promise<LiveList> {
  let list = await readLiveList(log, undefined);
  for (let batch = 1; batch <= batches; batch++) {
    list = await commitNext(log, list);
  }
  return list;
}

Deno.test("live files are those of the checkpoint, without removed and with added ones", () =>
  withLog(async (log) => {
    const last = await commitAll(log);

    const checkpoints = new Set<string>();
    let removed = 0;
    for await (const manifest of log.range({ from: 1, to: BATCHES })) {
      const { live, batch } = manifest;
      assert(live !== undefined);
      const entries = live.added.length + live.removed.length;
      assert.ok(entries <= LIVE_ENTRIES_MAX, `${entries} entries`);
      removed += live.removed.length;
      if (live.checkpoint !== undefined) checkpoints.add(live.checkpoint.key);
      const files = await readLiveFiles(log, manifest);
      const own = files.filter(({ to }) => to === batch);
      assert.deepEqual(own, ownFiles(manifest));
      const covered = files.filter(({ model }) => model === "one")
        .flatMap(({ from, to }) =>
          Array.from({ length: to - from + 1 }, (_, index) => from + index)
        );
      assert.deepEqual(
        covered,
        Array.from({ length: batch }, (_, index) => index + 1),
      );
    }
    assert.ok(checkpoints.size >= 2 && checkpoints.size < BATCHES / 10);
    assert.ok(removed > 0);
    const newest = await log.newest();
    assert.deepEqual((await readLiveList(log, newest)).files, last.files);
    assert.deepEqual(newest?.live?.rows, { one: 2 * BATCHES, other: BATCHES });
  }));

Deno.test("readLiveFiles() reads the newest manifest's checkpoint and no more", () =>
  withLog(async (log) => {
    await commitAll(log);
    const newest = await log.newest();
    const read: string[] = [];
    const counted = counting(log.zone, read);

    await readLiveFiles(
      new BatchLog<ProcessedManifest>(counted, "transform"),
      newest,
    );

    assert.deepEqual(read, [newest?.live?.checkpoint?.key]);
  }));

Deno.test("readLiveFiles() names a missing or damaged checkpoint", () =>
  withLog(async (log) => {
    await commitAll(log);
    const newest = await log.newest();
    const { checkpoint } = newest?.live ?? {};
    assert(checkpoint !== undefined);
    const stored = await log.zone.read(checkpoint.key);
    assert(stored !== undefined);
    const changed = stored.bytes.map((byte, index) =>
      index === 9 ? byte + 1 : byte
    );
    for (
      const [content, found] of [
        [undefined, /it is missing/],
        [stored.bytes.slice(1), /it has \d+ bytes, the manifest says \d+/],
        [changed, /its content does not match its checksum/],
      ] as const
    ) {
      if (content === undefined) await log.zone.remove(checkpoint.key);
      else await log.zone.put(checkpoint.key, content);
      await assert.rejects(readLiveFiles(log, newest), (error) => {
        assert(error instanceof StageError);
        assert.match(error.message, /^Cannot read the list of live files /);
        assert.match(error.message, found);
        assert.equal(error.subject, log.zone.locate(checkpoint.key));
        assert.match(error.hint ?? "", /\.\/totesys rebuild processed/);
        return true;
      });
    }
  }));

Deno.test("readLiveFiles() refuses an inconsistent list", () =>
  withLog(async (log) => {
    await commitAll(log, 3);
    const newest = await log.newest();
    const live = newest?.live;
    assert(newest !== undefined && live !== undefined);
    for (
      const changed of [
        { ...live, added: live.added.slice(1) },
        { ...live, rows: { ...live.rows, one: 7 } },
        { ...live, rows: { other: 3 } },
      ]
    ) {
      await assert.rejects(
        readLiveFiles(log, { ...newest, live: changed }),
        (error) => {
          assert(error instanceof StageError);
          assert.match(
            error.message,
            /^Cannot read the live files of batch 3: those of "one" hold \d versions, where \d are expected$/,
          );
          assert.match(error.hint ?? "", /\.\/totesys rebuild processed/);
          return true;
        },
      );
    }
  }));

Deno.test("nextLiveFiles() refuses merges that have lost rows", () =>
  withLog(async (log) => {
    const before = await commitAll(log, 12);
    const manifest = batchOf(13);

    await assert.rejects(
      nextLiveFiles(log.zone, {
        batch: manifest.batch,
        before,
        merged: before.files.slice(1),
        own: ownFiles(manifest),
        runId: manifest.runId,
      }),
      {
        name: "StageError",
        message: /^Cannot list the live files of batch 13/,
      },
    );
  }));

Deno.test("readLiveFiles() gathers files from manifests of the version before, back to one with a list", () =>
  withLog(async (log) => {
    const first = await commitAll(log, 12);
    for (let batch = 13; batch <= 40; batch++) await log.commit(batchOf(batch));

    const list = await readLiveList(log, await log.newest());

    const later = Array.from({ length: 28 }, (_, index) => index + 13)
      .flatMap((batch) => ownFiles(batchOf(batch)));
    assert.deepEqual(list.files, [...first.files, ...later]);
    const next = await commitNext(log, list);
    assert.deepEqual(
      (await readLiveList(log, await log.newest())).files,
      next.files,
    );
  }));

Deno.test("readLiveFiles() gathers the files of a lake that never listed any", () =>
  withLog(async (log) => {
    for (let batch = 1; batch <= 40; batch++) await log.commit(batchOf(batch));

    const files = await readLiveFiles(log, await log.newest());

    assert.equal(files.length, 80);
    assert.deepEqual(files.at(-1), ownFiles(batchOf(40)).at(-1));
    assert.deepEqual(await readLiveFiles(log, undefined), []);
  }));

/** A zone that notes what is read of it. */
function counting(zone: Zone, read: string[]): Zone {
  return new Proxy(zone, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name !== "locate") read.push(String(args[0]));
        return value.apply(target, args);
      };
    },
  });
}
