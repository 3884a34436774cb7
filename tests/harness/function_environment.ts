import type { Platform } from "./platform.ts";

/** What Terraform sets for every function of a platform. */
export function functionEnvironment(
  { config }: Platform,
): Record<string, string> {
  return {
    INGESTION_URL: config.ingestionUrl,
    PROCESSED_URL: config.processedUrl,
    AWS_ENDPOINT_URL_S3: Deno.env.get("TEST_S3_ENDPOINT") ?? "",
    METRICS_NAMESPACE: "totesys-test",
  };
}
