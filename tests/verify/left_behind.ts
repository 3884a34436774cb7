import type { Platform } from "../harness/platform.ts";

/** Names of what verifications have left in the temporary folder. */
export function leftBehind(platform: Platform): string[] {
  return [...Deno.readDirSync(platform.config.tempDirectory)]
    .map((entry) => entry.name);
}
