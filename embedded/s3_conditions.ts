/** The parts of a request that `checkConditions` reads. */
export interface ConditionalRequest {
  method: string;
  /** The path as sent, with the query. */
  url: string;
  params: unknown;
  headers: Record<string, string | string[] | undefined>;
}

/** Looks up the object of a key; throws if there is none. */
export interface ObjectLookup {
  headObject(bucket: string, key: string): { etag: string };
}

/** The answer to a request that is refused. */
export interface Refusal {
  status: 404 | 412;
  body: string;
}

/**
 * Checks `If-None-Match: *` and `If-Match` of a request that writes an object
 * (PutObject, CompleteMultipartUpload), as S3 does: 412 if the condition
 * doesn't hold, 404 if `If-Match` names an object that doesn't exist.
 *
 * It is synchronous, like all that the server does between this check and the
 * end of the write: no other request can come between, so no lock is needed.
 */
export function checkConditions(
  request: ConditionalRequest,
  objects: ObjectLookup,
): Refusal | undefined {
  if (!writesObject(request)) return;
  const isNew = request.headers["if-none-match"] === "*";
  const expected = request.headers["if-match"];
  if (!isNew && expected === undefined) return;
  const etag = etagOf(request.params, objects);
  if (isNew && etag !== undefined) return preconditionFailed("If-None-Match");
  if (expected === undefined) return;
  if (etag === undefined) {
    return refusal(404, {
      code: "NoSuchKey",
      message: "The specified key does not exist.",
    });
  }
  if (unquoted(expected) === unquoted(etag) || expected === "*") return;
  return preconditionFailed("If-Match");
}

function writesObject({ method, url }: ConditionalRequest): boolean {
  const query = new URLSearchParams(url.split("?")[1]);
  if (method === "PUT") return !query.has("partNumber");
  return method === "POST" && query.has("uploadId");
}

function etagOf(params: unknown, objects: ObjectLookup): string | undefined {
  const { bucket, "*": key } = params as Record<string, string | undefined>;
  if (bucket === undefined || key === undefined) return;
  try {
    return objects.headObject(bucket, key).etag;
  } catch {
    // If it is the bucket that is missing, the handler reports that.
    return;
  }
}

function unquoted(etag: string | string[]): string {
  return String(etag).replaceAll('"', "");
}

function preconditionFailed(condition: string): Refusal {
  return refusal(412, {
    code: "PreconditionFailed",
    message: "At least one of the pre-conditions you specified did not hold",
    condition,
  });
}

function refusal(
  status: Refusal["status"],
  { code, message, condition }: {
    code: string;
    message: string;
    condition?: string;
  },
): Refusal {
  const named = condition === undefined
    ? ""
    : `<Condition>${condition}</Condition>`;
  return {
    status,
    body: '<?xml version="1.0" encoding="UTF-8"?>\n' +
      `<Error><Code>${code}</Code><Message>${message}</Message>${named}</Error>`,
  };
}
