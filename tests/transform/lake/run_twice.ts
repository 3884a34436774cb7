import { execute, type Platform } from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";

/** What the second batch changes. */
export const RENAME =
  "update design set design_name = 'Tin' where design_id = 2";

/** The names of all designs, in one text. */
export const NAMES =
  "select string_agg(design_name, ' ' order by design_id) as names";

/** Makes two batches: the second renames a design. */
export async function runTwice(platform: Platform): Promise<void> {
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  await execute(platform.source.client, RENAME);
  await platform.extract();
  await platform.transform();
}
