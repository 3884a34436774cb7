/** What AWS asks a caller of S3 for: an action on a bucket, or on an object. */
export interface S3Right {
  action: string;
  bucket: string;
  /** Undefined: the action is about the bucket. */
  key: string | undefined;
}

/** A request to S3 by path (`/bucket/key`), and what came back. */
export interface S3Call {
  method: string;
  url: URL;
  headers: Headers;
  status: number;
}

/** What a query makes of a GET of a bucket. */
const BUCKET_ACTIONS: Record<string, string> = {
  uploads: "ListBucketMultipartUploads",
  versions: "ListBucketVersions",
  location: "GetBucketLocation",
  versioning: "GetBucketVersioning",
};
/** Headers of a write that ask for more than s3:PutObject. */
const WRITE_HEADERS: Record<string, string> = {
  "x-amz-acl": "PutObjectAcl",
  "x-amz-tagging": "PutObjectTagging",
  "x-amz-object-lock-mode": "PutObjectRetention",
  "x-amz-object-lock-retain-until-date": "PutObjectRetention",
  "x-amz-object-lock-legal-hold": "PutObjectLegalHold",
};
/** Queries that say only how, and those of a signature in the address. */
const PLAIN_QUERIES =
  /^(x-id|list-type|prefix|delimiter|start-after|continuation-token|marker|max-keys|max-uploads|key-marker|upload-id-marker|encoding-type|fetch-owner|partNumber|uploadId|uploads|versionId|versions|location|versioning|X-Amz-.*)$/;

/**
 * The rights that AWS asks for a request, as the Service Authorization
 * Reference and "Required permissions for Amazon S3 API operations" have them; and that
 * it says 404 of a missing key only to a caller who may list:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_s3.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 * Throws on a request that it does not know: none must pass uncounted.
 */
export function s3Rights(call: S3Call): S3Right[] {
  const { method, url, headers, status } = call;
  const [bucket = "", ...folders] = decodeURIComponent(url.pathname).slice(1)
    .split("/");
  const key = folders.join("/");
  const unknown = [...url.searchParams.keys()]
    .filter((name) => !PLAIN_QUERIES.test(name));
  if (bucket === "" || unknown.length > 0) {
    throw new TypeError(`no action is known for ${method} ${url}`);
  }
  if (key === "") {
    return [{ action: bucketAction(call), bucket, key: undefined }];
  }
  return [
    ...objectActions(call).map((action) => ({ action, bucket, key })),
    ...copiedFrom(headers),
    ...status === 404 ? [{ action: "ListBucket", bucket, key: undefined }] : [],
  ];
}

function bucketAction({ method, url }: S3Call): string {
  const [query = ""] = Object.keys(BUCKET_ACTIONS)
    .filter((name) => url.searchParams.has(name));
  if (method === "GET") return BUCKET_ACTIONS[query] ?? "ListBucket";
  if (method === "HEAD") return "ListBucket";
  throw new TypeError(`no action is known for ${method} ${url}`);
}

function objectActions({ method, url, headers }: S3Call): string[] {
  const has = (name: string) => url.searchParams.has(name);
  const version = has("versionId") ? "Version" : "";
  if (method === "GET" && has("uploadId")) return ["ListMultipartUploadParts"];
  if (method === "GET" || method === "HEAD") return [`GetObject${version}`];
  if (method === "DELETE" && has("uploadId")) return ["AbortMultipartUpload"];
  if (method === "DELETE") {
    const bypasses = headers.has("x-amz-bypass-governance-retention");
    return [
      `DeleteObject${version}`,
      ...bypasses ? ["BypassGovernanceRetention"] : [],
    ];
  }
  // PutObject, CopyObject, and the parts of an upload, its begin and its end.
  if (method === "PUT" || has("uploads") || has("uploadId")) {
    return [
      "PutObject",
      // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
      ...headers.has("if-match") ? ["GetObject"] : [],
      ...Object.entries(WRITE_HEADERS)
        .filter(([name]) => headers.has(name)).map(([, action]) => action),
    ];
  }
  throw new TypeError(`no action is known for ${method} ${url}`);
}

/** What a copy reads. */
function copiedFrom(headers: Headers): S3Right[] {
  const source = headers.get("x-amz-copy-source");
  if (source === null) return [];
  const [path = "", query = ""] = source.replace(/^\//, "").split("?");
  const [bucket = "", ...folders] = decodeURIComponent(path).split("/");
  const version = query.startsWith("versionId=") ? "Version" : "";
  return [{ action: `GetObject${version}`, bucket, key: folders.join("/") }];
}
