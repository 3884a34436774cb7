import { type Cluster, DATABASE } from "./cluster.ts";
import type { Platform } from "../platform.ts";
import { settingsOf } from "./postgres.ts";

/** Points a platform to a cluster as its source; returns it as it reads there. */
export function readFromCluster(
  platform: Platform,
  cluster: Cluster,
): Platform {
  const url = cluster.server.url(DATABASE);
  const settings = settingsOf(url);
  platform.set({ source: settings });
  return {
    ...platform,
    source: { ...platform.source, url, settings, client: cluster.client },
  };
}
