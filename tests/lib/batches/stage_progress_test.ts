import assert from "node:assert/strict";
import { BatchLog } from "../../../lib/batches/batch_log.ts";
import type { Manifest } from "../../../lib/batches/manifest.ts";
import {
  pendingFor,
  readStageProgress,
} from "../../../lib/batches/stage_progress.ts";
import { openZone } from "../../../lib/zone/zone.ts";

Deno.test("pendingFor() keeps a failure only while a batch is pending", () => {
  const failure = "it was down";

  assert.deepEqual(pendingFor({ batch: 3, failure }, 5), {
    pending: 2,
    failure,
  });
  assert.deepEqual(pendingFor({ batch: null, failure }, 1), {
    pending: 1,
    failure,
  });
  for (const before of [2, 3]) {
    assert.deepEqual(pendingFor({ batch: 3, failure }, before), {
      pending: 0,
      failure: undefined,
    });
  }
});

Deno.test("readStageProgress() gives the note of a batch that is not committed", async () => {
  const directory = await Deno.makeTempDir();
  const zone = openZone(directory, { s3: undefined });
  try {
    const log = new BatchLog<Manifest>(zone, "extract");
    const none = await readStageProgress(log);
    const note = async (batch: number) => {
      const text = JSON.stringify({ batch, message: "it was down" });
      const key = await log.failureKey();
      await zone.put(key, new TextEncoder().encode(text));
      return (await readStageProgress(log)).failure?.batch;
    };

    assert.deepEqual(none, { newest: undefined, failure: undefined });
    assert.equal(await note(1), 1);
    // No batch has this number: nothing can have failed at it.
    assert.equal(await note(0), undefined);
  } finally {
    zone.close();
    await Deno.remove(directory, { recursive: true });
  }
});
