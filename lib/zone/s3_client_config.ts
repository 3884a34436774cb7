import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { ConfigError, messageOf } from "../errors.ts";
import type { S3Settings } from "./zone.ts";

/** How long a server may take for each attempt of a request. */
export interface S3Patience {
  connectionTimeoutMs: number;
  answerTimeoutMs: number;
  /** Between the bytes of a body. */
  idleTimeoutMs: number;
}

/** What every client of AWS's SDK takes; the others ignore the path style. */
type ClientConfig = Pick<
  S3ClientConfig,
  | "credentials"
  | "endpoint"
  | "forcePathStyle"
  | "maxAttempts"
  | "region"
  | "requestHandler"
  | "retryMode"
>;

const ATTEMPTS_MAX = 5;

/** How long each part of a request may take. */
export const PATIENCE: S3Patience = {
  connectionTimeoutMs: 5_000,
  answerTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
};

/** How the SDK reaches S3; throws a `ConfigError` if the CA can't be read. */
export function clientConfig(
  settings: S3Settings,
  patience: S3Patience,
): ClientConfig {
  const { endpoint, accessKeyId, secretAccessKey, sessionToken, caFile } =
    settings;
  const hasKeys = accessKeyId !== undefined && secretAccessKey !== undefined;
  return {
    region: settings.region,
    forcePathStyle: settings.forcePathStyle ?? endpoint !== undefined,
    maxAttempts: ATTEMPTS_MAX,
    retryMode: "standard",
    requestHandler: {
      connectionTimeout: patience.connectionTimeoutMs,
      requestTimeout: patience.answerTimeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: patience.idleTimeoutMs,
      ...(caFile === undefined ? {} : { httpsAgent: { ca: readCa(caFile) } }),
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(hasKeys
      ? {
        credentials: {
          accessKeyId,
          secretAccessKey,
          ...(sessionToken === undefined ? {} : { sessionToken }),
        },
      }
      : {}),
  };
}

function readCa(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new ConfigError([`Cannot read the CA of S3: ${messageOf(error)}`]);
  }
}
