import assert from "node:assert/strict";
import { manifestKey } from "../../lib/batches/batch_log.ts";
import { type Manifest } from "../../lib/batches/manifest.ts";
import { queryRow } from "../../lib/postgres/postgres.ts";
import { RESOURCES } from "../../lib/stage.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { writeParquet } from "../../transform/files/write_parquet.ts";
import {
  forgetLiveFiles,
  ingestionManifest,
  processedManifest,
} from "./manifests.ts";
import type { Platform } from "./platform.ts";
import { execute } from "./platform.ts";
import { fillSmall, insertOrder } from "./companies/small_source.ts";
import { encodeManifest } from "../../lib/batches/encode_manifest.ts";

/**
 * Runs four batches of the small source with versions, deletes, a row that
 * comes back, a reference to nothing, and a row in quarantine.
 */
export async function runSmallHistory(platform: Platform): Promise<void> {
  const { client } = platform.source;
  await fillSmall(client);
  await execute(
    client,
    insertOrder(7),
    "update sales_order set design_id = 40 where sales_order_id = 7",
  );
  await platform.run();
  await execute(
    client,
    "update sales_order set units_sold = 7 where sales_order_id = 1",
    "update department set location = 'Hull' where department_id = 1",
    "delete from payment where payment_id = 5",
    "delete from staff where staff_id = 4",
  );
  await platform.run();
  await execute(
    client,
    `insert into payment values (5, '2023-01-01', '2023-01-01', 5, 1, 5.55, 1,
      1, true, '2023-01-02', 1, 2)`,
    "insert into staff values (4, 'New', 'One', 2, 'n@example.com', now(), now())",
    "update payment set payment_date = 'never' where payment_id = 1",
  );
  await platform.run();
  await execute(client, "delete from design where design_id = 3");
  await platform.run();
}

/** Spoils a warehouse of that history by hand in every way that it allows. */
export async function damage({ warehouse }: Platform): Promise<void> {
  await execute(
    warehouse.client,
    // Facts that are changed, gone, added, reopened, numbered differently.
    "update fact_sales_order set units_sold = units_sold + 1 where sales_order_id = 1",
    "delete from fact_purchase_order where purchase_order_id = 1",
    `insert into fact_payment select 9999, 777, created_date, created_time,
      last_updated_date, last_updated_time, transaction_id, counterparty_id,
      payment_amount, currency_id, payment_type_id, paid, payment_date,
      valid_from, valid_to, from_batch, to_batch
    from fact_payment where payment_id = 2`,
    "update fact_payment set from_batch = 2, valid_from = now() where payment_id = 3",
    "update fact_payment set payment_record_id = -payment_record_id",
    // Dimensions: their rows, their older versions, and their placeholders.
    "update dim_design set design_name = 'Steel' where design_id = 1",
    "update dim_design set file_name = null, to_batch = null where design_id = 3",
    "update dim_design set is_placeholder = false, design_name = 'Fake' where design_id = 40",
    "update dim_staff set is_placeholder = true where staff_id = 1",
    "delete from dim_payment_type where payment_type_id = 3",
    "insert into dim_currency values (98, 'XXX'), (99, 'YYY')",
    "update fact_sales_order set currency_id = 98 where sales_order_id = 2",
    "delete from dim_staff_closed where staff_id = 4",
    "update dim_staff_closed set email_address = ''",
    "insert into dim_design_closed (design_id, valid_from, valid_to, from_batch, to_batch) values (5, now(), now(), 1, 2)",
    "delete from quarantine",
    // And the ledger.
    "delete from pipeline.batch where batch in (2, 4)",
    "update pipeline.batch set rows = 0 where batch = 3",
  );
}

/** Puts another manifest in the place of one, sealed as it should be. */
async function reseal(
  platform: Platform,
  zone: "ingestionUrl" | "processedUrl",
  manifest: Manifest,
): Promise<void> {
  const opened = openZone(platform.config[zone], { s3: platform.config.s3 });
  await opened.put(manifestKey(manifest.batch), encodeManifest(manifest));
  opened.close();
}

/** Exchanges a model's file of a batch for another one that is as whole. */
export async function swapFile(
  platform: Platform,
  options: { batch: number; model: string; select: (from: string) => string },
): Promise<void> {
  const { config } = platform;
  const manifest = await processedManifest(platform, options.batch);
  const [file] = manifest.models[options.model]?.files ?? [];
  assert(file !== undefined);
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  await using duckdb = await RESOURCES.openDuckDb(config, {
    zones: [config.processedUrl],
  });
  const swapped = await writeParquet(
    duckdb,
    options.select(`read_parquet('${zone.locate(file.key)}',
      hive_partitioning = false)`),
    { zone, key: `${file.key}.swapped` },
  );
  assert(swapped !== undefined);
  manifest.models[options.model] = { files: [swapped], deletes: 0 };
  await reseal(platform, "processedUrl", manifest);
  await forgetLiveFiles(zone, { from: options.batch });
  zone.close();
}

/** Commits changes that the next batch will take for shipped. */
export async function changeUnseen(
  platform: Platform,
  changes: string[],
): Promise<void> {
  const { client } = platform.source;
  const extracted = await platform.extract();
  const batch = extracted.batches[0] ?? 0;
  await execute(client, "begin");
  const { id } = await queryRow(
    client,
    "select pg_current_xact_id()::text as id",
  );
  await execute(client, ...changes, "commit");
  const manifest = await ingestionManifest(platform, batch);
  manifest.source.shipped.push([id ?? "", id ?? ""]);
  await reseal(platform, "ingestionUrl", manifest);
}
