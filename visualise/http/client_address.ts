import type { Context } from "hono";

/**
 * The address that a request comes from. Whoever sends a request can write into
 * `X-Forwarded-For`; only what the `proxies` before the server have added at
 * its end is read. A function's URL is asked by nobody else and cuts that header
 * down to its first entry, so there AWS's own word counts alone:
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
export function clientAddress(context: Context, proxies: number): string {
  const { requestContext, remoteAddr } = (context.env ?? {}) as {
    requestContext?: { http?: { sourceIp?: string } };
    remoteAddr?: { hostname?: string };
  };
  const source = requestContext?.http?.sourceIp;
  if (source !== undefined) return source;
  const forwarded = (context.req.header("x-forwarded-for") ?? "").split(",")
    .map((entry) => entry.trim()).filter((entry) => entry !== "");
  const hops = [...forwarded, remoteAddr?.hostname ?? "unknown"];
  return withoutPort(hops.at(-1 - proxies) ?? hops[0] ?? "unknown");
}

/** Some proxies write `203.0.113.7:52341`, or `[2001:db8::1]:443`. */
function withoutPort(entry: string): string {
  const [, inBrackets] = /^\[(.*)\]/.exec(entry) ?? [];
  const [, beforePort] = /^([^:]*):\d+$/.exec(entry) ?? [];
  return inBrackets ?? beforePort ?? entry;
}
