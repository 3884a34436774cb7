import { messageOf, redact, StageError } from "../errors.ts";

/** What was being done when S3 failed. */
export interface S3Attempt {
  /** What could not be done: `Cannot write to`, `Cannot read "key" in`. */
  task: string;
  /** The zone's URL. */
  url: string;
  /** The server, if it isn't AWS. */
  endpoint: string | undefined;
}

interface Meaning {
  hint: string;
  found?: string;
  retryable?: boolean;
}

const LATER = {
  hint: "Run again later; the store is busy or refuses requests for now",
  retryable: true,
};
const REACH = {
  hint:
    "Check AWS_ENDPOINT_URL and AWS_REGION, and that the server runs and can be reached from here",
  retryable: true,
};
const RIGHTS: Meaning = {
  hint:
    "Allow these keys s3:GetObject and s3:PutObject on the zone, and s3:ListBucket on the bucket",
};
const KEYS = {
  hint: "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
};
const QUOTA: Meaning = {
  hint: "Free space in the bucket, or raise its quota",
};
const REGION: Meaning = {
  hint: "Set AWS_REGION to the region that the bucket is in",
};

const CERTIFICATE: Meaning = {
  hint:
    "Give the server's CA with AWS_CA_BUNDLE; its certificate must be valid and name the host",
};

const MEANINGS: Record<string, Meaning> = {
  NoSuchBucket: {
    found: "there is no such bucket",
    hint: "Create the bucket, or correct its name in the zone's URL",
  },
  AccessDenied: RIGHTS,
  Forbidden: RIGHTS,
  InvalidAccessKeyId: KEYS,
  SignatureDoesNotMatch: KEYS,
  CredentialsProviderError: {
    found: "no credentials were found",
    hint:
      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role",
  },
  ExpiredToken: { hint: "Renew the session's AWS credentials." },
  RequestTimeTooSkewed: { hint: "Set this machine's clock." },
  // Those of Ceph and versitygw, and of MinIO.
  QuotaExceeded: QUOTA,
  XMinioAdminBucketQuotaExceeded: QUOTA,
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  PreconditionFailed: {
    found: "a file of that name is there already",
    hint: "Data files are never overwritten: run again, with a new run id",
    retryable: true,
  },
  NoSuchUpload: LATER,
  ConditionalRequestConflict: LATER,
  ECONNREFUSED: { ...REACH, found: "the connection was refused" },
  ENOTFOUND: { ...REACH, found: "the host's name is unknown" },
  EAI_AGAIN: { ...REACH, found: "the host's name could not be looked up" },
  ECONNRESET: { ...REACH, found: "the connection broke" },
  EPIPE: { ...REACH, found: "the connection broke" },
  ETIMEDOUT: { ...REACH, found: "no answer came in time" },
  EHOSTUNREACH: { ...REACH, found: "the host cannot be reached" },
  TimeoutError: { ...REACH, found: "no answer came in time" },
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

function meaningOf(error: unknown): Meaning | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error ? String(error.code) : "";
  const known = MEANINGS[error.name] ?? MEANINGS[code];
  if (known !== undefined) return known;
  if (/certificate|altnames/i.test(error.message)) return CERTIFICATE;
  const status = statusOf(error) ?? 0;
  if (status === 403) return RIGHTS;
  if (status === 301) return REGION;
  if (status === 429 || status >= 500) return LATER;
  return undefined;
}
