import { createHash } from "node:crypto";
import { retry } from "./retry.ts";

const TIMEOUT_MS = 300_000;
const ATTEMPTS_MAX = 3;

/** The hash that a file must have, in the form that its registry states. */
export type Checksum =
  | { algorithm: "sha256"; digest: string; encoding: "hex" }
  | { algorithm: "sha512"; digest: string; encoding: "base64" };

/**
 * Fetches a file over HTTP, with two retries, and checks its hash. Throws an
 * error that says what is wrong with the answer.
 */
export async function download(
  url: string,
  { algorithm, digest, encoding }: Checksum,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await retry(() => fetchBytes(url), {
    attemptsMax: ATTEMPTS_MAX,
  });
  const found = createHash(algorithm).update(bytes).digest(encoding);
  if (found === digest) return bytes;
  throw new Error(`its ${algorithm} is ${found}, not ${digest}`);
}

async function fetchBytes(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.ok) return await answer.bytes();
  await answer.body?.cancel();
  throw new Error(`the answer was HTTP ${answer.status}`);
}
