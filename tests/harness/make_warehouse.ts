import { getLogger } from "@logtape/logtape";
import type pg from "pg";
import { inTransaction } from "../../lib/postgres/postgres.ts";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { makeSchema } from "../../load/tables/make_schema.ts";

/** Makes a warehouse's tables as a first load finds them, and no more. */
export async function makeWarehouse(
  client: pg.Client,
  sql: ProjectSql,
): Promise<void> {
  await makeSchema({
    config: readConfig(() => undefined, []),
    resources: RESOURCES,
    sql,
    log: getLogger("totesys"),
  }, {
    loader: {
      client,
      transaction: async (work) => {
        await inTransaction(client, {}, work);
        return true;
      },
    },
  });
}
