import { query } from "../../lib/postgres/postgres.ts";
import type { Platform } from "../harness/platform.ts";

const TRIES_MAX = 1500;
const WAIT_MS = 20;

/** Waits until the servers have noticed the connections that were cut. */
export async function untilQuiet(platform: Platform): Promise<void> {
  for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
    let sessions = 0;
    for (const { client } of [platform.source, platform.warehouse]) {
      const [row] = await query(
        client,
        `select count(*) as sessions from pg_stat_activity
        where datname = current_database()
          and application_name ~ '^totesys '`,
      );
      sessions += Number(row?.sessions);
    }
    if (sessions === 0) return;
    await new Promise((wake) => setTimeout(wake, WAIT_MS));
  }
  throw new Error("connections that were cut are still there");
}
