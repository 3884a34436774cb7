import { messageOf } from "../../../lib/errors.ts";
import {
  lakeState,
  openLake,
  type State,
  warehouseState,
  zoneKeys,
} from "./oracle.ts";
import type { Platform } from "../platform.ts";

/** What anybody can see. */
export interface Visible {
  /** Keys of manifests. */
  ingestion: string[];
  processed: string[];
  /** A damaged lake's message, for as long as it is. */
  lake: State | string;
  warehouse: State;
}

/** Looks at the manifests, the lake and the warehouse. */
export async function visible(platform: Platform): Promise<Visible> {
  const manifests = async (zone: "ingestionUrl" | "processedUrl") =>
    (await zoneKeys(platform, zone)).filter((key) => key.endsWith(".json"));
  return {
    ingestion: await manifests("ingestionUrl"),
    processed: await manifests("processedUrl"),
    lake: await readLake(platform),
    warehouse: await warehouseState(platform),
  };
}

async function readLake(platform: Platform): Promise<State | string> {
  try {
    await using lake = await openLake(platform);
    return await lakeState(lake);
  } catch (error) {
    return messageOf(error);
  }
}
