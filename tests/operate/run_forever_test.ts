import assert from "node:assert/strict";
import { runForever } from "../../operate/run_stages.ts";
import { openPlatform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

const HOUR_MS = 3_600_000;
const PATIENCE_MS = 60_000;

Deno.test("runForever() begins at once after a run that took longer than the interval", async () => {
  await using platform = await openPlatform();
  await fillSmall(platform.source.client);
  const stopping = new AbortController();
  const timeout = setTimeout(() => stopping.abort(), PATIENCE_MS);
  const now = performance.now.bind(performance);
  let passedMs = 0;
  let loads = 0;
  performance.now = () => now() + passedMs;
  try {
    await runForever({ ...platform.context, signal: stopping.signal }, {
      everyMs: HOUR_MS,
      onResult: ({ stage }) => {
        if (stage !== "load") return;
        passedMs += 1.1 * HOUR_MS;
        if (++loads === 2) stopping.abort();
      },
    });
  } finally {
    performance.now = now;
    clearTimeout(timeout);
  }

  assert.equal(loads, 2);
});
