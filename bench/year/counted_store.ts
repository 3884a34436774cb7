/** An S3 server behind a proxy that counts requests. */
export interface CountedStore extends AsyncDisposable {
  readonly endpoint: string;
  /** What has passed through it so far. */
  counted(): StoreUse;
}

/** Requests to a store by kind, and the bytes of their bodies, both ways. */
export interface StoreUse {
  gets: number;
  heads: number;
  /** PUT and POST; lists are billed like these. */
  puts: number;
  lists: number;
  deletes: number;
  bytes: number;
}

/** What passed through between two counts. */
export function usedSince(before: StoreUse, after: StoreUse): StoreUse {
  return {
    gets: after.gets - before.gets,
    heads: after.heads - before.heads,
    puts: after.puts - before.puts,
    lists: after.lists - before.lists,
    deletes: after.deletes - before.deletes,
    bytes: after.bytes - before.bytes,
  };
}

const KINDS: Readonly<Record<string, Exclude<keyof StoreUse, "bytes">>> = {
  GET: "gets",
  HEAD: "heads",
  PUT: "puts",
  POST: "puts",
  DELETE: "deletes",
};
const IS_LIST = /[?&](list-type|versions|uploads)\b/;

/** Starts a proxy for an S3 server; signatures stay valid. */
export function countRequests(server: string): CountedStore {
  const use: StoreUse = {
    gets: 0,
    heads: 0,
    puts: 0,
    lists: 0,
    deletes: 0,
    bytes: 0,
  };
  // The signature covers the host, so it must stay the proxy's.
  const client = Deno.createHttpClient({ allowHost: true });
  const listener = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async ({ url, method, headers, body }) => {
      const { pathname, search } = new URL(url);
      use[IS_LIST.test(search) ? "lists" : KINDS[method] ?? "gets"]++;
      const sent = body === null ? null : await new Response(body).bytes();
      const answer = await fetch(`${server}${pathname}${search}`, {
        method,
        headers,
        body: sent,
        client,
      });
      const got = method === "HEAD" ? null : await answer.bytes();
      use.bytes += (sent?.length ?? 0) + (got?.length ?? 0);
      const { status } = answer;
      return new Response(status === 204 || status === 304 ? null : got, {
        status,
        headers: answer.headers,
      });
    },
  );
  return {
    endpoint: `http://127.0.0.1:${listener.addr.port}`,
    counted: () => ({ ...use }),
    [Symbol.asyncDispose]: async () => {
      await listener.shutdown();
      client.close();
    },
  };
}
