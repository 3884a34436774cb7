import type pg from "pg";
import { readServerState } from "../extract/server_state.ts";
import { readServerMode } from "../lib/postgres/connect.ts";
import { inTransaction, isPooled, queryRow } from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";

/**
 * Says on one line which server the source is, and what follows from that for
 * its pipeline; and gives the database's name. What the server hides of itself
 * is logged, with what extract does without. Throws a `StageError` for a pooler
 * that allows no transactions.
 */
export async function describeServer(
  client: pg.Client,
  { log }: Pick<StageContext, "log">,
): Promise<{ line: string; database: string }> {
  const { version = "", encoding = "", database = "" } = await queryRow(
    client,
    `select current_setting('server_version') as version,
      current_setting('server_encoding') as encoding,
      current_database() as database`,
  );
  const { isStandby } = await readServerMode(client);
  const pooled = await isPooled(client);
  await inTransaction(
    client,
    { readOnly: true },
    () => readServerState(client, { inRecovery: isStandby, log }),
  );
  const line = [
    `PostgreSQL ${version}`,
    ...isStandby ? ["a standby: the pipeline sees what it has replayed"] : [],
    ...pooled
      ? ["by a pooler: its pool_mode must stay transaction or session"]
      : [],
    ...encoding === "UTF8"
      ? []
      : [`in ${encoding}: rows that are not valid UTF-8 are set aside`],
  ].join(", ");
  return { line, database: database ?? "" };
}
