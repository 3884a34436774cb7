import { manifestKey } from "../../lib/batches/batch_log.ts";

/** A key of each kind of file in a zone. */
export const KEYS = {
  rows: "sale/batch=000000001/1.csv",
  state: "_state/current.sale/batch=000000001/1.parquet",
  manifest: manifestKey(1),
  latest: "_batches/latest",
  failed: "_batches/failed",
  generation: "_generation",
  lake: "lake.duckdb",
  iceberg: "_iceberg/fact_sale/metadata/v1.metadata.json",
};

/** A kind of file, or the bucket itself. */
export type Kind = keyof typeof KEYS | "bucket";

/** Rights in a zone: actions of S3, and what each is used on. */
export type Rights = Record<string, readonly Kind[]>;

/** The zones, as their buckets are called. */
export const ZONES = ["ingestion", "processed"] as const;

/** Rights by zone. */
export type ZoneRights = Partial<Record<typeof ZONES[number], Rights>>;

const READ_BATCHES = ["latest", "manifest", "rows"] as const;
const COMMITTED = ["manifest", "latest"] as const;
const BUCKET = ["bucket"] as const;
const READ_INGESTION: Rights = { GetObject: READ_BATCHES, ListBucket: BUCKET };
const WRITE_PROCESSED: Rights = {
  GetObject: [...READ_BATCHES, "state", "generation", "lake", "iceberg"],
  PutObject: [...COMMITTED, "rows", "state", "lake", "iceberg"],
  DeleteObject: ["rows"],
  ListBucket: BUCKET,
};

/** What each function calls, no more and no less: a test records it. */
export const CALLED: Record<string, ZoneRights> = {
  extract: {
    ingestion: {
      ...READ_INGESTION,
      GetObject: [...READ_BATCHES, "failed"],
      PutObject: [...COMMITTED, "rows", "failed"],
      AbortMultipartUpload: ["rows"],
    },
  },
  transform: {
    ingestion: READ_INGESTION,
    processed: {
      ...WRITE_PROCESSED,
      GetObject: [...WRITE_PROCESSED.GetObject ?? [], "failed"],
      PutObject: [...WRITE_PROCESSED.PutObject ?? [], "failed"],
    },
  },
  load: {
    processed: {
      GetObject: [...READ_BATCHES, "generation"],
      ListBucket: BUCKET,
    },
  },
  // It extracts, transforms and loads a batch, to compare all as of that.
  verify: {
    ingestion: { ...READ_INGESTION, PutObject: [...COMMITTED, "rows"] },
    processed: WRITE_PROCESSED,
  },
  sweep: {
    processed: {
      GetObject: ["manifest", "generation", "iceberg"],
      DeleteObject: ["rows", "state", "iceberg"],
      AbortMultipartUpload: ["rows"],
      ListBucket: BUCKET,
      ListBucketMultipartUploads: BUCKET,
    },
  },
  dashboard: {},
};

/**
 * What is granted although that test does not see it: the end of an upload in
 * parts that fails. It is seen in extract; the others write as extract does, or
 * extract themselves, but have no file in a test that is so large.
 */
export const RARELY_CALLED: Record<string, ZoneRights> = {
  transform: { processed: { AbortMultipartUpload: ["rows"] } },
  verify: {
    ingestion: { AbortMultipartUpload: ["rows"] },
    processed: { AbortMultipartUpload: ["rows"] },
  },
};

/**
 * What transform calls in Glue, if that names the lake's tables; each also needs
 * its right to the catalogue and the database: a test records it.
 */
export const GLUE_CALLED = ["CreateTable", "GetTable", "UpdateTable"];

/** The rights of a function in a zone, also those that are rarely used. */
export function rightsOf(name: string, zone: typeof ZONES[number]): Rights {
  return { ...CALLED[name]?.[zone], ...RARELY_CALLED[name]?.[zone] };
}

/** The kind of a key within its zone. */
export function kindOf(key: string): Kind {
  if (/^_batches[^/]*\/latest$/.test(key)) return "latest";
  if (/^_batches[^/]*\/failed$/.test(key)) return "failed";
  if (/^_batches[^/]*\/\d+\.json$/.test(key)) return "manifest";
  if (key === "_generation") return "generation";
  if (key === "lake.duckdb") return "lake";
  if (key.startsWith("_iceberg/")) return "iceberg";
  if (key.startsWith("_state/")) return "state";
  if (/^\w+\/batch=\d+\//.test(key)) return "rows";
  throw new TypeError(`${key} is of no known kind`);
}
