import type { Logger } from "@logtape/logtape";
import type { Context, MiddlewareHandler } from "hono";

/** How many requests may come at once, and how many a second in the long run. */
export interface Rate {
  burst: number;
  perSecond: number;
}

/** Of an address, for those who are not signed in: forms, and programs. */
export const ADDRESS_RATE: Rate = { burst: 1200, perSecond: 20 };
/**
 * Of an address, for those who are signed in. A page asks for some forty files
 * and figures, and an office may have one address, where each batch lets
 * hundreds of open pages ask for their figures at once.
 */
export const SIGNED_IN_RATE: Rate = { burst: 6000, perSecond: 500 };
/** All that are not signed in, together: a form, its style, and programs. */
export const STRANGERS_RATE: Rate = { burst: 600, perSecond: 10 };
/** The least recent are forgotten first, and would start afresh. */
const KEYS_MAX = 10_000;
const LOG_EVERY_MS = 60_000;

/** What is left of a rate, and what was refused since it was last logged. */
interface Bucket {
  requests: number;
  atMs: number;
  refused: number;
  loggedAtMs: number;
}

/** Limits requests in this process; what it knows ends with it. */
export class RateLimit {
  /** The requests refused so far. */
  refused = 0;
  #log: Logger;
  #clock: () => Date;

  constructor({ log, clock }: { log: Logger; clock: () => Date }) {
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * Refuses what exceeds the rate of its key with 429 and the seconds to wait,
   * and logs it once a minute for each key; undefined is not limited.
   */
  by(
    keyOf: (context: Context) => string | undefined,
    rate: Rate,
  ): MiddlewareHandler {
    const buckets = new Map<string, Bucket>();
    return async (context, next) => {
      const key = keyOf(context);
      if (key === undefined) return await next();
      const nowMs = this.#clock().getTime();
      const bucket = fill(buckets, { key, rate, nowMs });
      if (bucket.requests >= 1) {
        bucket.requests--;
        return await next();
      }
      this.#note(key, bucket, nowMs);
      const seconds = Math.ceil((1 - bucket.requests) / rate.perSecond);
      return context.json(
        { message: "Too many requests: wait a moment." },
        429,
        {
          "retry-after": String(seconds),
        },
      );
    };
  }

  #note(key: string, bucket: Bucket, nowMs: number): void {
    this.refused++;
    bucket.refused++;
    if (nowMs - bucket.loggedAtMs < LOG_EVERY_MS) return;
    this.#log.warn("refused {requests} requests from {from}: too many", {
      requests: bucket.refused,
      from: key,
    });
    bucket.refused = 0;
    bucket.loggedAtMs = nowMs;
  }
}

/**
 * Who counts as one: an IPv4 address, or an IPv6 network of 64 bits, which is
 * the least that a subscriber has (RFC 6177).
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  // ::ffff:192.0.2.7
  if (address.includes(".")) return address.slice(address.lastIndexOf(":") + 1);
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  while (tail !== undefined && groups.length + last.length < 8) {
    groups.push("0");
  }
  return `${[...groups, ...last].slice(0, 4).join(":")}::/64`;
}

/** The bucket of a key with what has come back since its last request. */
function fill(
  buckets: Map<string, Bucket>,
  { key, rate, nowMs }: { key: string; rate: Rate; nowMs: number },
): Bucket {
  const known = buckets.get(key);
  const bucket = known ?? {
    requests: rate.burst,
    atMs: nowMs,
    refused: 0,
    loggedAtMs: -Infinity,
  };
  // A clock that was set back takes nothing away.
  const seconds = Math.max(0, nowMs - bucket.atMs) / 1000;
  bucket.requests = Math.min(
    rate.burst,
    bucket.requests + seconds * rate.perSecond,
  );
  bucket.atMs = nowMs;
  // A map keeps the order in which keys were set.
  buckets.delete(key);
  buckets.set(key, bucket);
  if (buckets.size > KEYS_MAX) {
    const [oldest = ""] = buckets.keys();
    buckets.delete(oldest);
  }
  return bucket;
}
