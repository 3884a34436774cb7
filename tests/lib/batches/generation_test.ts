import assert from "node:assert/strict";
import {
  activateGeneration,
  readGeneration,
} from "../../../lib/batches/generation.ts";
import { StageError } from "../../../lib/errors.ts";
import { openZone, type Zone } from "../../../lib/zone/zone.ts";
import { changedZone } from "../../harness/changed_zone.ts";
import { inFolder } from "../../harness/in_folder.ts";

/** A zone of which `create` does something else as well, or instead. */
const creating = (zone: Zone, create: Zone["create"]) =>
  changedZone(zone, { create });

const lost = () =>
  new StageError("no answer", { subject: "zone", retryable: true });

Deno.test("activateGeneration() activates one generation after another", async () => {
  await inFolder(async (folder) => {
    const zone = openZone(folder, { s3: undefined });
    const first = await readGeneration(zone);
    assert.deepEqual(first, { id: "", etag: undefined });

    assert.equal(
      await activateGeneration(zone, { from: first, to: "a-1" }),
      true,
    );
    const second = await readGeneration(zone);
    assert.equal(second.id, "a-1");
    assert.equal(
      await activateGeneration(zone, { from: second, to: "b" }),
      true,
    );

    assert.equal((await readGeneration(zone)).id, "b");
  });
});

Deno.test("activateGeneration() reports that another run came first", async () => {
  await inFolder(async (folder) => {
    const zone = openZone(folder, { s3: undefined });
    const first = await readGeneration(zone);
    await activateGeneration(zone, { from: first, to: "theirs" });
    const theirs = await readGeneration(zone);

    assert.equal(
      await activateGeneration(zone, { from: first, to: "mine" }),
      false,
    );
    await activateGeneration(zone, { from: theirs, to: "later" });
    assert.equal(
      await activateGeneration(zone, { from: theirs, to: "mine" }),
      false,
    );

    assert.equal((await readGeneration(zone)).id, "later");
  });
});

Deno.test("activateGeneration() finds out whether it succeeded when the answer was lost", async () => {
  await inFolder(async (folder) => {
    const zone = openZone(folder, { s3: undefined });
    const first = await readGeneration(zone);
    let calls = 0;
    const unheard = creating(zone, async (key, content) => {
      // Once nothing comes of it, and once it works without an answer.
      if (++calls === 2) await zone.create(key, content);
      throw lost();
    });

    assert.equal(
      await activateGeneration(unheard, { from: first, to: "mine" }),
      true,
    );
    assert.equal(
      await activateGeneration(unheard, { from: first, to: "other" }),
      false,
    );

    assert.equal(calls, 3);
    assert.equal((await readGeneration(zone)).id, "mine");
  });
});

Deno.test("activateGeneration() gives up on permanent errors", async () => {
  await inFolder(async (folder) => {
    const zone = openZone(folder, { s3: undefined });
    const from = await readGeneration(zone);
    const denied = creating(zone, () => {
      throw new StageError("denied", { subject: "zone" });
    });
    let calls = 0;
    const dead = creating(zone, () => {
      calls++;
      throw lost();
    });

    await assert.rejects(
      activateGeneration(denied, { from, to: "a" }),
      /denied/,
    );
    await assert.rejects(
      activateGeneration(dead, { from, to: "a" }),
      /no answer/,
    );

    assert.equal(calls, 6);
  });
});

Deno.test("readGeneration() names an unreadable pointer", async () => {
  await inFolder(async (folder) => {
    const zone = openZone(folder, { s3: undefined });
    for (const content of ["", "../elsewhere\n"]) {
      await zone.put("_generation", new TextEncoder().encode(content));

      await assert.rejects(readGeneration(zone), {
        name: "StageError",
        message: `Cannot read ${folder}/_generation: it names no generation`,
        subject: `${folder}/_generation`,
        hint: /^Restore the file/,
      });
    }
  });
});
