import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context } from "hono";

/** Shorter bodies fit into one packet either way. */
const GZIP_BYTES_MIN = 1_000;

const compress = promisify(gzip);

/** A body that is encoded once, and sent many times. */
export interface Encoded {
  plain: Uint8Array<ArrayBuffer>;
  /** Undefined if compression would gain nothing. */
  gzip: Uint8Array<ArrayBuffer> | undefined;
}

/** Encodes a value as JSON. */
export async function encodeJson(value: unknown): Promise<Encoded> {
  return await encode(new TextEncoder().encode(JSON.stringify(value)));
}

/** Reads the JSON of an encoded value. */
// deno-lint-ignore no-explicit-any
export function decodeJson({ plain }: Encoded): any {
  return JSON.parse(new TextDecoder().decode(plain));
}

/** Encodes the bytes of a body. */
export async function encode(
  plain: Uint8Array<ArrayBuffer>,
): Promise<Encoded> {
  if (plain.byteLength < GZIP_BYTES_MIN) return { plain, gzip: undefined };
  return { plain, gzip: new Uint8Array(await compress(plain)) };
}

/** Answers with a body, compressed if the client reads that. */
export function sendEncoded(
  context: Context,
  { plain, gzip }: Encoded,
  headers: Record<string, string>,
): Response {
  const accepted = context.req.header("accept-encoding") ?? "";
  if (gzip === undefined) return context.body(plain, 200, headers);
  const vary = { ...headers, vary: "accept-encoding" };
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(accepted)
    ? context.body(gzip, 200, { ...vary, "content-encoding": "gzip" })
    : context.body(plain, 200, vary);
}
