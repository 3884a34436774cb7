import type pg from "pg";
import { noteFailedCheck } from "./run_checks.ts";

/**
 * Does some work in a transaction of the connection: all of it, or nothing.
 * Nothing is committed of files that `intact` finds not to be as they were
 * written, or after the signal. Writes down which check ended it, if one did.
 */
export async function inLoadTransaction(
  client: pg.Client,
  options: { intact: Promise<unknown>; signal?: AbortSignal },
  work: () => Promise<void>,
): Promise<void> {
  const { intact, signal } = options;
  const [, done] = await Promise.allSettled([
    intact,
    inTransaction(client, async () => {
      await work();
      await intact;
      signal?.throwIfAborted();
    }),
  ]);
  await intact;
  if (done.status === "rejected") {
    await noteFailedCheck(client, done.reason);
    throw done.reason;
  }
}

async function inTransaction(
  client: pg.Client,
  work: () => Promise<void>,
): Promise<void> {
  await client.query("begin");
  try {
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}
