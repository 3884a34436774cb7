/** An S3 server behind a proxy that counts requests. */
export interface CountedStore extends AsyncDisposable {
  readonly endpoint: string;
  requests: number;
  /** Those of them that S3 bills as writes: PUT, POST and lists. */
  writes: number;
  /** Bytes of bodies, both ways. */
  bytes: number;
}

/** Starts a proxy for an S3 server that checks no signatures. */
export function countRequests(server: string): CountedStore {
  // The signature covers the host, so it must stay the proxy's.
  const client = Deno.createHttpClient({ allowHost: true });
  const listener = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async ({ url, method, headers, body }) => {
      const { pathname, search } = new URL(url);
      store.requests++;
      if (["PUT", "POST"].includes(method) || /[?&]list-type=/.test(search)) {
        store.writes++;
      }
      const sent = body === null ? null : await new Response(body).bytes();
      const answer = await fetch(`${server}${pathname}${search}`, {
        method,
        headers,
        body: sent,
        client,
      });
      const got = method === "HEAD" ? null : await answer.bytes();
      store.bytes += (sent?.length ?? 0) + (got?.length ?? 0);
      const { status } = answer;
      return new Response(status === 204 || status === 304 ? null : got, {
        status,
        headers: answer.headers,
      });
    },
  );
  const store: CountedStore = {
    endpoint: `http://127.0.0.1:${listener.addr.port}`,
    requests: 0,
    writes: 0,
    bytes: 0,
    [Symbol.asyncDispose]: async () => {
      await listener.shutdown();
      client.close();
    },
  };
  return store;
}
