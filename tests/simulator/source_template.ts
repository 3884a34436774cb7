import { SOURCE_SQL } from "../harness/platform.ts";
import { makeTemplate } from "../harness/postgres.ts";
import { fillSmall } from "../harness/small_source.ts";

let made: Promise<string> | undefined;

/** The database that every history's source begins as; made once. */
export function sourceTemplate(): Promise<string> {
  made ??= makeTemplate(async (client) => {
    await client.query(SOURCE_SQL);
    await fillSmall(client);
  });
  return made;
}
