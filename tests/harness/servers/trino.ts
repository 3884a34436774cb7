import {
  type TrinoCluster,
  trinoEnv,
} from "../../../embedded/trino_cluster.ts";
import type { TrinoServer } from "../../../embedded/trino_server.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import type { Platform } from "../platform.ts";

/** What `deno task test:trino` has found; other runs of the tests have none. */
export function givenTrino(): TrinoServer | undefined {
  const server = Deno.env.get("TEST_TRINO_SERVER");
  const javaHome = Deno.env.get("TEST_TRINO_JAVA");
  return server === undefined || javaHome === undefined
    ? undefined
    : { server, javaHome };
}

/** Lets a platform's transform run every batch's models on a Trino server. */
export function withTrino(platform: Platform, cluster: TrinoCluster): void {
  const env = trinoEnv(cluster);
  const { transformEngine, transformEngineBytesMin, trino } = readConfig(
    (name) => env[name],
    [],
  );
  platform.set({ transformEngine, transformEngineBytesMin, trino });
}
