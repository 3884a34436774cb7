import assert from "node:assert/strict";
import { BatchLog, manifestKey } from "../../../lib/batches/batch_log.ts";
import { activateGeneration } from "../../../lib/batches/generation.ts";
import type { ProcessedManifest } from "../../../lib/batches/manifest.ts";
import { StageError } from "../../../lib/errors.ts";
import { openZone, type Zone } from "../../../lib/zone/zone.ts";
import { changedZone } from "../../harness/changed_zone.ts";
import { emptyManifest } from "../../harness/manifests.ts";

function manifest(batch: number, runId = `run-${batch}`): ProcessedManifest {
  return emptyManifest(batch, runId);
}

async function withZone(work: (zone: Zone) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(openZone(folder, { s3: undefined }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function logOf(zone: Zone): BatchLog<ProcessedManifest> {
  return new BatchLog<ProcessedManifest>(zone, "transform");
}

/** A zone of which `create` does something else as well, or instead. */
const creating = (zone: Zone, create: Zone["create"]) =>
  changedZone(zone, { create });

const lost = () =>
  new StageError("no answer", { subject: "zone", retryable: true });

Deno.test("newest() finds the newest batch, whatever the hint says", async () => {
  await withZone(async (zone) => {
    const log = logOf(zone);
    assert.equal(await log.newest(), undefined);
    for (let batch = 1; batch <= 21; batch++) {
      assert.equal(await log.commit(manifest(batch)), true);
    }
    for (const hint of ["21", "20", "1", "0", "99", "-3", "x", undefined]) {
      if (hint === undefined) await zone.remove("_batches/latest");
      else {
        await zone.put("_batches/latest", new TextEncoder().encode(hint));
      }
      assert.equal((await log.newest())?.batch, 21, `hint ${hint}`);
    }
  });
});

Deno.test("read() names the missing manifest", async () => {
  await withZone(async (zone) => {
    await assert.rejects(logOf(zone).read(3), (error) => {
      assert(error instanceof StageError);
      assert.match(error.message, /batch 3: the manifest .*000000003.json/);
      return true;
    });
  });
});

Deno.test("checkNoGap() refuses to fill a gap in the log", async () => {
  await withZone(async (zone) => {
    const log = logOf(zone);
    for (let batch = 1; batch <= 6; batch++) await log.commit(manifest(batch));
    await log.checkNoGap(7);
    await log.checkNoGap(6);
    await zone.remove(manifestKey(5));
    await zone.remove("_batches/latest");
    assert.equal(await log.newestNumber(), 4);

    await assert.rejects(log.checkNoGap(5), (error) => {
      assert(error instanceof StageError);
      assert.match(
        error.message,
        /^Cannot commit batch 5: batch 6 is there, and .*000000005.json before/,
      );
      assert.match(error.subject ?? "", /000000005.json$/);
      return true;
    });
    await log.checkNoGap(7);
  });
});

Deno.test("checkNoGap() lists no directory while the hint is right", async () => {
  await withZone(async (zone) => {
    const lists: string[] = [];
    const log = logOf(listing(zone, lists));
    for (let batch = 1; batch <= 6; batch++) await log.commit(manifest(batch));

    await log.checkNoGap(7);

    assert.deepEqual(lists, []);
    for (const later of [6, 7, 9, 13]) {
      const batch = 5;
      for (let gone = batch; gone < later; gone++) {
        await zone.remove(manifestKey(gone));
      }
      await log.commit(manifest(later));
      await zone.put("_batches/latest", new TextEncoder().encode("4"));
      assert.equal(await log.newestNumber(), 4);
      await assert.rejects(log.checkNoGap(batch), StageError);
      await zone.remove(manifestKey(later));
    }
    assert.deepEqual(lists, []);
  });
});

/** A zone that tells what is listed. */
function listing(zone: Zone, lists: string[]): Zone {
  return new Proxy(zone, {
    get: (target, name) => {
      if (name === "list") lists.push(String(name));
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test("commit() returns whether this run's batch is committed", async () => {
  await withZone(async (zone) => {
    const log = logOf(zone);
    assert.equal(await log.commit(manifest(1, "mine")), true);
    assert.equal(await log.commit(manifest(1, "mine")), true);
    assert.equal(await log.commit(manifest(1, "other")), false);
  });
});

Deno.test("commit() finds its own manifest when the answer was lost", async () => {
  await withZone(async (zone) => {
    const log = logOf(creating(zone, async (key, content) => {
      await zone.create(key, content);
      throw lost();
    }));

    assert.equal(await log.commit(manifest(1, "mine")), true);
    assert.equal(await log.commit(manifest(1, "other")), false);
  });
});

Deno.test("commit() retries when its put had no effect", async () => {
  await withZone(async (zone) => {
    let calls = 0;
    const log = logOf(creating(zone, async (key, content) => {
      if (++calls < 3) throw lost();
      return await zone.create(key, content);
    }));

    assert.equal(await log.commit(manifest(1)), true);
    assert.equal(calls, 3);
  });
});

Deno.test("commit() repeats a failed read of the manifest", async () => {
  await withZone(async (zone) => {
    let reads = 0;
    const created = creating(zone, async (key, content) => {
      await zone.create(key, content);
      throw lost();
    });
    const failing = changedZone(created, {
      read: (key) =>
        key === manifestKey(1) && ++reads < 3
          ? Promise.reject(lost())
          : zone.read(key),
    });

    assert.equal(await logOf(failing).commit(manifest(1, "mine")), true);
    assert.equal(await logOf(zone).commit(manifest(1, "other")), false);
  });
});

Deno.test("commit() reads the manifest after its last failed try", async () => {
  await withZone(async (zone) => {
    let calls = 0;
    const log = logOf(creating(zone, async (key) => {
      calls += 1;
      const isLast = key === manifestKey(1) && calls > 10;
      if (isLast) await logOf(zone).commit(manifest(1, "other"));
      throw lost();
    }));

    // Side by side, for they wait for long between their six tries.
    const [first, second] = await Promise.allSettled([
      log.commit(manifest(1, "mine")),
      log.commit(manifest(2, "mine")),
    ]);

    assert.deepEqual(first, { status: "fulfilled", value: false });
    assert.deepEqual(second, { status: "rejected", reason: lost() });
    assert.equal(calls, 12);
  });
});

Deno.test("commit() gives up on permanent and on contradictory answers", async () => {
  await withZone(async (zone) => {
    const denied = logOf(creating(zone, () => {
      throw new StageError("denied", { subject: "zone" });
    }));
    await assert.rejects(denied.commit(manifest(1)), /denied/);
    const lying = logOf(creating(zone, () => Promise.resolve(false)));
    await assert.rejects(
      lying.commit(manifest(1)),
      /says both that its manifest exists and that it doesn't/,
    );
    assert.equal(await zone.head(manifestKey(1)), undefined);
  });
});

Deno.test("a log uses the generation that is active at its first request", async () => {
  await withZone(async (zone) => {
    const early = logOf(zone);
    await early.commit(manifest(1, "first"));
    const rebuilt = new BatchLog<ProcessedManifest>(zone, "transform", {
      generation: "rebuilt",
    });
    assert.equal(await rebuilt.newest(), undefined);
    await rebuilt.commit(manifest(1, "again"));
    await rebuilt.commit(manifest(2, "again"));
    assert.equal((await logOf(zone).newest())?.runId, "first");

    const from = { id: "", etag: undefined };
    await activateGeneration(zone, { from, to: "rebuilt" });

    assert.equal(await logOf(zone).generation(), "rebuilt");
    assert.equal((await logOf(zone).newest())?.batch, 2);
    assert.equal((await early.newest())?.runId, "first");
    const extracted = new BatchLog(zone, "extract", { generation: "rebuilt" });
    assert.equal(await extracted.generation(), "");
  });
});

Deno.test("range() returns batches in order, and names a missing one", async () => {
  await withZone(async (zone) => {
    const log = logOf(zone);
    for (let batch = 1; batch <= 20; batch++) await log.commit(manifest(batch));

    const read = await Array.fromAsync(log.range({ from: 2, to: 20 }));

    assert.deepEqual(
      read.map((one) => one.batch),
      Array.from({ length: 19 }, (_, index) => index + 2),
    );
    assert.deepEqual(await Array.fromAsync(log.range({ from: 1, to: 0 })), []);
    await assert.rejects(
      Array.fromAsync(log.range({ from: 20, to: 21 })),
      /Cannot read batch 21/,
    );
  });
});
