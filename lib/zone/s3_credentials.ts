import { messageOf, StageError } from "../errors.ts";
import type { S3Settings } from "./zone.ts";

/** Keys for S3. */
export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/**
 * The keys of the settings, or else those that the SDK finds by its own chain
 * (profile, container, instance), for a reader other than the SDK.
 */
export async function resolveCredentials(
  settings: S3Settings,
): Promise<S3Credentials> {
  const { accessKeyId, secretAccessKey, sessionToken, region } = settings;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return { accessKeyId, secretAccessKey, sessionToken };
  }
  const { S3Client } = await import("./s3_sdk.ts");
  const client = new S3Client({ region });
  try {
    return await client.config.credentials();
  } catch (error) {
    throw new StageError(
      `Cannot find credentials for S3: ${messageOf(error)}`,
      {
        subject: "S3",
        hint:
          'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE if its keys come from no program; `eval "$(aws configure export-credentials --format env)"` sets those of any sign-in',
        cause: error,
      },
    );
  } finally {
    client.destroy();
  }
}
