import {
  CreateMultipartUploadCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { S3Settings } from "../../lib/zone/zone.ts";

/**
 * Begins an upload in parts, sends one and leaves it there, as a process does
 * that dies: no key shows it, and nobody ends it.
 */
export async function leaveUploadOpen(
  url: string,
  options: { s3: S3Settings; part: Uint8Array },
): Promise<void> {
  const { s3, part } = options;
  const { host, pathname } = new URL(url);
  const target = { Bucket: host, Key: decodeURIComponent(pathname.slice(1)) };
  const client = new S3Client({
    region: s3.region,
    forcePathStyle: s3.forcePathStyle ?? s3.endpoint !== undefined,
    ...(s3.endpoint === undefined ? {} : { endpoint: s3.endpoint }),
    credentials: {
      accessKeyId: s3.accessKeyId ?? "",
      secretAccessKey: s3.secretAccessKey ?? "",
    },
  });
  try {
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand(target),
    );
    await client.send(
      new UploadPartCommand({
        ...target,
        UploadId,
        PartNumber: 1,
        Body: part,
      }),
    );
  } finally {
    client.destroy();
  }
}
