import { HTTPFS_VERSION } from "../lib/duckdb/httpfs.ts";
import { quoteText } from "../lib/sql/quote.ts";
import type { S3Settings } from "../lib/zone/zone.ts";

/** Where the data and the servers of a demo are. */
export interface DemoPlaces {
  sourceUrl: string;
  warehouseUrl: string;
  dashboardUrl: string;
  /** The processed zone. */
  lake: string;
  /** Set when the lake is on the embedded S3 server. */
  s3: { settings: S3Settings; extensionDirectory: string } | undefined;
  /** The newest batch. */
  batch: number;
  fact: HintedFact;
}

/** The fact that the queries to try are about. */
export interface HintedFact {
  name: string;
  /** The column that is summed. */
  measure: string;
  /** The key column of an order. */
  orderKey: string;
}

/** What to look at while the demo runs. */
export interface DemoHints {
  sourceUrl: string;
  warehouseUrl: string;
  dashboardUrl: string;
  /** The command that opens the lake: for a shell or, with S3, for DuckDB. */
  lake: string;
  /** Queries for the warehouse and the lake, by what they show. */
  queries: { now: string; earlier: string; history: string };
}

const BATCHES_BACK = 10;

/** Connections, and queries to try. */
export function demoHints(places: DemoPlaces): DemoHints {
  const { sourceUrl, warehouseUrl, dashboardUrl, lake, s3, batch } = places;
  const { name, measure, orderKey } = places.fact;
  const earlier = Math.max(1, batch - BATCHES_BACK);
  return {
    sourceUrl,
    warehouseUrl,
    dashboardUrl,
    lake: s3 === undefined
      ? `duckdb -readonly ${lake}/lake.duckdb`
      : lakeOnS3(lake, s3),
    queries: {
      now: `select count(*), sum(${measure}) from ${name}_current;`,
      earlier: `select count(*), sum(${measure})
from ${name}_as_of_batch(${earlier});`,
      history: `select * from ${name}_history
where ${orderKey} = (
    select max(${orderKey}) from ${name}_history
    where to_batch is not null
) order by from_batch;`,
    },
  };
}

/** Formats the hints for a terminal. */
export function formatHints(hints: DemoHints): string {
  const { sourceUrl, warehouseUrl, dashboardUrl, lake, queries } = hints;
  const isOneLine = !lake.includes("\n");
  return [
    `  dashboard  ${dashboardUrl}`,
    `  source     ${sourceUrl}`,
    `  warehouse  ${warehouseUrl}`,
    ...(isOneLine ? [`  lake       ${lake}`] : [
      `  lake       in DuckDB ${HTTPFS_VERSION} (this extension fits no other):`,
      indented(lake),
    ]),
    "  To try, in the warehouse (psql) or in the lake (DuckDB):",
    indented(`-- now
${queries.now}
-- ten batches ago
${queries.earlier}
-- one order's history
${queries.history}`),
  ].join("\n");
}

/** SQL that opens a lake on the embedded S3 server, which needs a secret. */
function lakeOnS3(
  lake: string,
  { settings, extensionDirectory }: NonNullable<DemoPlaces["s3"]>,
): string {
  const { region, accessKeyId = "", secretAccessKey = "" } = settings;
  const endpoint = new URL(settings.endpoint ?? "").host;
  return `set extension_directory = ${quoteText(extensionDirectory)};
load httpfs;
create secret (type s3, region ${quoteText(region)},
    key_id ${quoteText(accessKeyId)}, secret ${quoteText(secretAccessKey)},
    endpoint ${quoteText(endpoint)}, url_style 'path', use_ssl false);
attach ${quoteText(`${lake}/lake.duckdb`)} as lake (read_only);
use lake;`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}
