import { BatchLog } from "../../../lib/batches/batch_log.ts";
import { readLiveFiles } from "../../../lib/batches/live_files.ts";
import type { ProcessedManifest } from "../../../lib/batches/manifest.ts";
import { readAllSql } from "../../../lib/duckdb/data_files.ts";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { HOLDS_UNTIL_COLUMNS } from "../../../lib/duckdb/version_columns.ts";
import { openStageZone } from "../../../lib/stage.ts";
import type { Platform } from "../platform.ts";

/** All that a model's files hold. */
export interface Versions {
  /** Each column with its type. */
  columns: string[];
  rows: number;
  /** A sum of the rows' hashes, so that their order doesn't count. */
  content: string;
}

/** Every version of each model in the lake, by content and by type. */
export async function everyVersion(
  { config, context }: Pick<Platform, "config" | "context">,
): Promise<Record<string, Versions>> {
  const zone = openStageZone(context, "processed");
  await using duckdb = await openDuckDb(config, { zones: [zone.url] });
  const log = new BatchLog<ProcessedManifest>(zone, "transform");
  const files = await readLiveFiles(log, await log.newest());
  const found: Record<string, Versions> = {};
  for (const [model, own] of Map.groupBy(files, (file) => file.model)) {
    const all = readAllSql(zone, own);
    const described = await duckdb.rows(`describe select * from ${all}`);
    const columns = described.filter(({ column_name }) =>
      !HOLDS_UNTIL_COLUMNS.some(({ name }) => name === column_name)
    );
    const names = columns.map(({ column_name }) => `"${column_name}"`).join();
    const [sum] = await duckdb.rows(
      `select count(*) as rows, sum(hash(version)) as content
      from (select ${names} from ${all}) as version`,
    );
    found[model] = {
      columns: columns.map((one) => `${one.column_name} ${one.column_type}`),
      rows: Number(sum?.rows),
      content: sum?.content ?? "",
    };
  }
  zone.close();
  return found;
}
