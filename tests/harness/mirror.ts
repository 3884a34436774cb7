import assert from "node:assert/strict";
import { sourceState, warehouseState } from "./oracle.ts";
import type { Platform } from "./platform.ts";

/** Fails unless the warehouse's current state is the source's content. */
export async function assertMirrored(platform: Platform): Promise<void> {
  // The calendar grows with the facts and is checked with the history.
  const { dim_date: _calendar, ...state } = await warehouseState(platform);
  assert.deepEqual(state, await sourceState(platform));
}
