import { RESTORE_FILE } from "./restore_hint.ts";

/** The name of an error about an answer that no S3 server would give. */
export const NOT_S3 = "NotS3";

/** What an error of S3 means, and what to do about it. */
export interface S3Meaning {
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
const RIGHTS: S3Meaning = {
  hint:
    "Allow these keys s3:GetObject and s3:PutObject on the zone, and s3:ListBucket on the bucket",
};
const KEYS = {
  hint: "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
};
const QUOTA: S3Meaning = {
  hint: "Free space in the bucket, or raise its quota",
};
const REGION: S3Meaning = {
  hint: "Set AWS_REGION to the region that the bucket is in",
};

const CLOCK: S3Meaning = { hint: "Set this machine's clock." };
const TRANSIT: S3Meaning = {
  hint:
    "What was sent did not arrive whole or in time: run again; if it persists, something between here and the store changes it or holds it up",
  retryable: true,
};
const OWNER: S3Meaning = {
  hint:
    "The store has locked the bucket or its account: ask their owner, or the store's support",
};
const OTHER_SERVER: S3Meaning = {
  hint:
    "This is no answer of an S3 server: check AWS_ENDPOINT_URL, and whether a proxy or a sign-in page answers in the server's place",
};
const TOO_LARGE: S3Meaning = {
  hint:
    "A proxy before the store limits how much a request may send: raise that to 16 MB or more (client_max_body_size in nginx)",
};
const KMS: S3Meaning = {
  hint:
    "The bucket's KMS key can't be used: enable it, and allow these keys kms:Decrypt and kms:GenerateDataKey",
};
const UNSUPPORTED: S3Meaning = {
  hint:
    "The store lacks what zones need, such as conditional writes: `./totesys doctor` tests it; use another store, or a directory",
};
const REFUSED: S3Meaning = {
  hint:
    "The store refuses such a request, as the message says: its documentation explains the code",
};

/** By the code of the store, of the SDK or of the system. */
const MEANINGS: Record<string, S3Meaning> = {
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
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role; `eval "$(aws configure export-credentials --format env)"` sets the keys of any sign-in, where AWS_PROFILE takes none from a program',
  },
  ExpiredToken: { hint: "Renew the session's AWS credentials." },
  InvalidToken: { hint: "Renew the session's AWS credentials." },
  RequestTimeTooSkewed: CLOCK,
  RequestExpired: CLOCK,
  RequestTimeout: TRANSIT,
  IncompleteBody: TRANSIT,
  BadDigest: TRANSIT,
  XAmzContentSHA256Mismatch: TRANSIT,
  XAmzContentChecksumMismatch: TRANSIT,
  OperationAborted: LATER,
  InvalidObjectState: {
    hint:
      "The file is in archival storage: restore it there, and let no lifecycle rule archive the files of zones",
  },
  AllAccessDisabled: OWNER,
  AccountProblem: OWNER,
  NotSignedUp: OWNER,
  NotImplemented: UNSUPPORTED,
  EntityTooLarge: {
    hint:
      "The store takes no object of this size: raise its limit, or use another store",
  },
  NoSuchKey: {
    found: "there is no such file",
    hint: RESTORE_FILE,
  },
  XMinioStorageFull: QUOTA,
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
  [NOT_S3]: OTHER_SERVER,
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

/** What the SDK names an answer whose body is not S3's. */
const NO_CODE = /^(|Unknown|NotFound|Error)$/;

/** What a code of the store's, the SDK's or the system's means, if known. */
export function meaningOfCode(code: string): S3Meaning | undefined {
  if (code.startsWith("KMS.")) return KMS;
  return Object.hasOwn(MEANINGS, code) ? MEANINGS[code] : undefined;
}

/**
 * What an answer of the store means, by its code, if it has one, and its HTTP
 * status: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
export function meaningOfAnswer(
  { code, status }: { code: string; status: number },
): S3Meaning {
  const known = meaningOfCode(code);
  if (known !== undefined) return known;
  if (status === 408) return TRANSIT;
  if (status === 413) return TOO_LARGE;
  if (status === 501) return UNSUPPORTED;
  if (status === 507) return QUOTA;
  if (status === 429 || status >= 500) return LATER;
  if (status === 401 || status === 403) return RIGHTS;
  // Without a code, as the answer to a HEAD, it names the bucket's region alone.
  if (status === 301) return REGION;
  return NO_CODE.test(code) ? OTHER_SERVER : REFUSED;
}
