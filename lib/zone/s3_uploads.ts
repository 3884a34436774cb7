import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { UnfinishedFile } from "./zone.ts";

/** The uploads below a prefix that were begun and have not ended. */
export async function* listUploads(
  client: S3Client,
  place: { Bucket: string; Prefix: string },
): AsyncGenerator<UnfinishedFile> {
  const input: ListMultipartUploadsCommandInput = { ...place };
  for (let more = true; more;) {
    const page = await client.send(new ListMultipartUploadsCommand(input));
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || Initiated === undefined) continue;
      const upload = { Bucket: place.Bucket, Key, UploadId };
      yield {
        name: Key.slice(place.Prefix.length),
        begun: Initiated,
        remove: async () => {
          await client.send(new AbortMultipartUploadCommand(upload));
        },
      };
    }
    input.KeyMarker = page.NextKeyMarker;
    input.UploadIdMarker = page.NextUploadIdMarker;
    more = page.IsTruncated === true && page.NextKeyMarker !== undefined;
  }
}
