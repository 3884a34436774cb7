import type pg from "pg";

/** Does some work in a transaction of the connection: all of it, or nothing. */
export async function inTransaction(
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
