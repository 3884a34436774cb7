import assert from "node:assert/strict";
import { join } from "node:path";
import type pg from "pg";
import { copyIn } from "../../lib/postgres/copy.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { History } from "../harness/readers/oracle.ts";
import { execute, openPlatform, PROJECT_SQL } from "../harness/platform.ts";
import { assertRebuilds } from "../harness/rebuild.ts";

/** A sample of the real data, which not everybody has beside the project. */
const SAMPLE = join(platformDirectory(), "..", "shared", "totesys");

const isPresent = await Deno.stat(join(SAMPLE, "sales_order.csv"))
  .then((file) => file.isFile, () => false);

async function loadSample(client: pg.Client): Promise<number> {
  let rows = 0;
  for (const { name } of PROJECT_SQL.tables) {
    const file = await Deno.open(join(SAMPLE, `${name}.csv`));
    const [header = ""] = (await Deno.readTextFile(join(SAMPLE, `${name}.csv`)))
      .split("\n");
    rows += await copyIn(
      client,
      `copy ${quoteName(name)} (${header.trim()}) from stdin csv header`,
      file.readable,
    );
  }
  return rows;
}

Deno.test({
  name: "the pipeline loads a sample of the real data to the same content",
  ignore: !isPresent,
  fn: async () => {
    await using platform = await openPlatform({ warehouse: "empty" });
    const { client } = platform.source;
    const history = new History(platform);
    assert.ok(await loadSample(client) > 1000);
    await history.step();

    await execute(
      client,
      `update payment set paid = true, payment_date = '2023-03-01',
        last_updated = now() where not paid and payment_id % 3 = 0`,
      "delete from sales_order where sales_order_id % 50 = 0",
      "update address set city = upper(city) where address_id % 2 = 0",
      "update department set manager = null, location = 'Hull'",
    );
    await history.step();
    await history.compareAll();
    await assertRebuilds(platform);
  },
});
