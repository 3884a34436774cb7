import assert from "node:assert/strict";
import { lockFolder } from "../../demo/folder_lock.ts";

const TRIES = 2_000;
const START_PROGRAMS = `while (true) {
  await new Deno.Command("true").output();
  postMessage("started");
}`;

Deno.test("lockFolder() releases its lock at once, even while other threads start programs", async () => {
  const folder = await Deno.makeTempDir();
  // A program that starts has a copy of every open file until it runs.
  const starter = new Worker(
    `data:application/javascript,${encodeURIComponent(START_PROGRAMS)}`,
    { type: "module" },
  );
  await new Promise((started) => starter.onmessage = started);
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      using _lock = await lockFolder(folder);
    }
  } finally {
    starter.terminate();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("lockFolder() refuses a folder that another process has locked", async () => {
  const folder = await Deno.makeTempDir();
  {
    using _lock = await lockFolder(folder);
    await assert.rejects(() => lockFolder(folder), /another demo runs there/);
  }
  using _again = await lockFolder(folder);
  await Deno.remove(folder, { recursive: true });
});
