import { HTTPFS_VERSION } from "../lib/duckdb/httpfs.ts";
import { quoteText } from "../lib/postgres/postgres.ts";
import type { S3Settings } from "../lib/zone/zone.ts";

/** Where a demo keeps what it made. */
export interface DemoPlaces {
  sourceUrl: string;
  warehouseUrl: string;
  /** Undefined where the dashboard does not fit the company. */
  dashboardUrl: string | undefined;
  /** The processed zone. */
  lake: string;
  /** Set when the lake is on the embedded S3 server. */
  s3: { settings: S3Settings; extensionDirectory: string } | undefined;
  /** The newest batch. */
  batch: number;
  fact: HintedFact;
}

/** What queries to try are about. */
export interface HintedFact {
  name: string;
  /** What is added up. */
  measure: string;
  /** Of an order. */
  orderKey: string;
}

/** What to look at while the demo runs. */
export interface DemoHints {
  sourceUrl: string;
  warehouseUrl: string;
  dashboardUrl: string | undefined;
  /** What to type to be in the lake: to a shell, or for S3 to DuckDB. */
  lake: string;
  /** Queries that run in warehouse and lake, by what they show. */
  queries: { now: string; earlier: string; history: string };
}

/** Why there is none for a company. */
export const NO_DASHBOARD = "none, its page shows the tables of Totesys";

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

/** The hints as a terminal shows them. */
export function formatHints(hints: DemoHints): string {
  const { sourceUrl, warehouseUrl, dashboardUrl, lake, queries } = hints;
  const isOneLine = !lake.includes("\n");
  return [
    `  dashboard  ${dashboardUrl ?? NO_DASHBOARD}`,
    `  source     ${sourceUrl}`,
    `  warehouse  ${warehouseUrl}`,
    ...(isOneLine ? [`  lake       ${lake}`] : [
      `  lake       in DuckDB ${HTTPFS_VERSION} (this extension fits no other):`,
      indented(lake),
    ]),
    "  To try in the warehouse (psql) and in the lake (DuckDB) alike:",
    indented(`-- now
${queries.now}
-- ten batches ago
${queries.earlier}
-- one order's history
${queries.history}`),
  ].join("\n");
}

/** An embedded server can't be reached without what a secret holds. */
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
