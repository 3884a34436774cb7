import assert from "node:assert/strict";
import { lakeState, openLake, sourceState, warehouseState } from "./oracle.ts";
import type { Platform } from "../platform.ts";

/** Fails unless the lake and the warehouse hold now what the source holds. */
export async function assertMirrored(platform: Platform): Promise<void> {
  // The calendar grows with the facts and is checked with the history.
  const { dim_date: _calendar, ...state } = await warehouseState(platform);
  const source = await sourceState(platform);
  assert.deepEqual(state, source);
  await using lake = await openLake(platform);
  const { dim_date: _dates, ...held } = await lakeState(lake);
  assert.deepEqual(held, source);
}
