import { AthenaClient } from "../../lib/athena/athena_client.ts";
import type { Engine } from "../../lib/engine.ts";
import type { AthenaSettings } from "../../lib/settings/engine_settings.ts";
import type { S3Settings } from "../../lib/zone/zone.ts";
import { athenaDialect } from "./athena_sql.ts";
import { HiveEngine, type HiveWork } from "./hive_engine.ts";

/** Opens Amazon Athena for one batch, in a workgroup and a Glue database. */
export async function openAthena(
  work: HiveWork & {
    settings: AthenaSettings;
    s3: S3Settings;
    signal: AbortSignal;
  },
): Promise<Engine> {
  const client = new AthenaClient(work.settings, work);
  const engine = new HiveEngine(work, {
    // What it runs within its version 3 has no name.
    about: { name: "athena", version: "3" },
    client,
    dialect: athenaDialect(work.settings.database),
  });
  try {
    await engine.dropOld();
  } catch (error) {
    client.close();
    throw error;
  }
  return engine;
}
