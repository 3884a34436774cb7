import { readAllSql } from "../../../lib/duckdb/data_files.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import { openDuckDbReader, type Rows, rowsOf } from "./iceberg_readers.ts";
import { liveFiles } from "../manifests.ts";
import type { Platform } from "../platform.ts";

/** What the files of the lake hold, without what merges add. */
export async function lakeRows(
  platform: Platform,
  options: { model: string; batchMax?: number },
): Promise<Rows> {
  const { config } = platform;
  const { model, batchMax = Infinity } = options;
  const files = (await liveFiles(platform))
    .filter((file) => file.model === model);
  const zone = openZone(config.processedUrl, { s3: config.s3 });
  await using duckdb = await openDuckDbReader(config.s3);
  const rows = await rowsOf(
    duckdb.connection,
    `select columns(name -> name not like 'holds_until_%')
    from ${readAllSql(zone, files)}`,
  );
  zone.close();
  return rows.filter((row) => Number(JSON.parse(row).batch) <= batchMax);
}
