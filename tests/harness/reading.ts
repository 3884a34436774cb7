import { type Cluster, DATABASE } from "./servers/cluster.ts";
import type { Platform } from "./platform.ts";
import { settingsOf } from "./servers/postgres.ts";

/** Points a platform to a cluster as its source; returns it as it reads there. */
export function reading(platform: Platform, cluster: Cluster): Platform {
  const url = cluster.server.url(DATABASE);
  const settings = settingsOf(url);
  platform.set({ source: settings });
  return {
    ...platform,
    source: { ...platform.source, url, settings, client: cluster.client },
  };
}
