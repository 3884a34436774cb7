import {
  meaningOfAnswer,
  meaningOfCode,
  NOT_S3,
  type S3Meaning,
} from "./s3_meaning.ts";
import { messageOf, StageError } from "../errors.ts";
import { redact } from "../settings/redact.ts";

/** What was being done when S3 failed. */
export interface S3Attempt {
  /** What could not be done: `Cannot write to`, `Cannot read "key" in`. */
  task: string;
  /** The zone's URL. */
  url: string;
  /** The server, if it isn't AWS. */
  endpoint: string | undefined;
}

const CERTIFICATE: S3Meaning = {
  hint:
    "Give the server's CA with AWS_CA_BUNDLE; its certificate must be valid and name the host",
};

/**
 * Turns an S3 error into one that says what it means. It is retryable if the
 * outcome is unknown or the store is only busy.
 */
export function s3Error(error: unknown, attempt: S3Attempt): StageError {
  const { task, url, endpoint } = attempt;
  const meaning = meaningOf(error);
  const name = error instanceof Error ? error.name : "";
  const status = statusOf(error);
  const answer = status === undefined ? "" : ` (${name}, HTTP ${status})`;
  const found = meaning?.found ?? messageOf(error);
  const server = endpoint === undefined ? "" : ` at ${redact(endpoint)}`;
  return new StageError(
    `${task} the zone ${url}${server}: ${found}${answer}`,
    {
      subject: url,
      cause: error,
      retryable: meaning?.retryable ?? false,
      ...(meaning === undefined ? {} : { hint: meaning.hint }),
    },
  );
}

/** The HTTP status of an S3 error, if the server answered. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== "object" || metadata === null) return undefined;
  const status = "httpStatusCode" in metadata
    ? metadata.httpStatusCode
    : undefined;
  return typeof status === "number" ? status : undefined;
}

function meaningOf(error: unknown): S3Meaning | undefined {
  if (!(error instanceof Error)) return undefined;
  const known = meaningOfCode(error.name) ??
    meaningOfCode("code" in error ? String(error.code) : "");
  if (known !== undefined) return known;
  if (/certificate|altnames/i.test(error.message)) return CERTIFICATE;
  const status = statusOf(error);
  if (status === undefined) return undefined;
  return meaningOfAnswer({ code: error.name, status });
}

/** Whether the store says that it has no such object. */
export function isMissingKey(error: unknown): boolean {
  return error instanceof Error && error.name === "NoSuchKey";
}

/** The answer to a HEAD has no body, and so no code: only its status says it. */
export function isMissingHead(error: unknown): boolean {
  return isMissingKey(error) ||
    (error instanceof Error && error.name === "NotFound");
}

/** The error for an answer that no S3 server would give. */
export function notS3(found: string): Error {
  return Object.assign(new Error(found), { name: NOT_S3 });
}

/**
 * The ETag that S3 gives with each object that it has, read or written; throws
 * if the answer has none, as that of a page in the server's place.
 */
export function etagOf({ ETag }: { ETag?: string | undefined }): string {
  if (ETag === undefined) throw notS3("the answer has no ETag");
  return ETag;
}
