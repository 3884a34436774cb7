import { ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";

/** The `date` header of an answer; any answer will do. */
export async function dateOfAnswer(
  client: S3Client,
  place: { Bucket: string; Prefix: string },
): Promise<string | undefined> {
  let date: string | undefined;
  const command = new ListObjectsV2Command({ ...place, MaxKeys: 1 });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = headerOf(result.response, "date");
      return result;
    },
    { step: "deserialize" },
  );
  await client.send(command);
  return date;
}

/** A header of an answer, as the SDK's middleware sees it. */
function headerOf(response: unknown, name: string): string | undefined {
  const { headers } = response as { headers?: Record<string, string> };
  return headers?.[name];
}
