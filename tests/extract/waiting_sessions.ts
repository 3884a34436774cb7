import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";

/** Waits a while until somebody waits for a lock. */
export async function somebodyWaits(
  client: pg.Client,
  count = 1,
): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    const { rows } = await client.query(
      `select count(*)::int as waiting from pg_locks where not granted
        and database = (select oid from pg_database
          where datname = current_database())`,
    );
    if (rows[0].waiting >= count) return;
    await sleep(20);
  }
  throw new Error("nobody waits");
}
