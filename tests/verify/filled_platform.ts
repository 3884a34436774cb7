import { openPlatform, type Platform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

export const REBUILD_WAREHOUSE = "./totesys rebuild warehouse";

export const REBUILD_BOTH = ["./totesys rebuild processed", REBUILD_WAREHOUSE];

/** A platform with one batch in lake and warehouse. */
export async function openFilled(): Promise<Platform> {
  const platform = await openPlatform();
  await fillSmall(platform.source.client);
  await platform.run();
  return platform;
}
