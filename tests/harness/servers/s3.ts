import type { S3Server } from "../../../embedded/s3_server.ts";

/** The bucket in which every zone of the tests has a prefix of its own. */
export const BUCKET = "tests";

/** The S3 server of the tests: `TEST_S3_ENDPOINT`, or the embedded one. */
export async function openTestS3(): Promise<S3Server> {
  const endpoint = Deno.env.get("TEST_S3_ENDPOINT");
  if (endpoint === undefined) {
    // It takes a third of what a file of tests loads, and few need it.
    const { startS3Server } = await import("../../../embedded/s3_server.ts");
    return await startS3Server({ buckets: [BUCKET] });
  }
  const stop = () => Promise.resolve();
  return { endpoint, stop, [Symbol.asyncDispose]: stop };
}
