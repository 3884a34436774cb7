/** A proxy before an S3 server: its address, until it is disposed. */
export interface StoreProxy extends AsyncDisposable {
  readonly endpoint: string;
}

/**
 * Starts a proxy before an S3 server. Each request is answered by `handle`,
 * which may forward it.
 */
export function startStoreProxy(
  endpoint: string,
  handle: (
    request: Request,
    url: URL,
    forward: () => Promise<Response>,
  ) => Response | Promise<Response>,
): StoreProxy {
  // The signature covers the host, so it must stay the proxy's.
  const client = Deno.createHttpClient({ allowHost: true });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      const { method, headers } = request;
      const body = request.body === null ? null : await request.bytes();
      return await handle(request, url, async () => {
        const answer = await fetch(endpoint + url.pathname + url.search, {
          method,
          headers,
          body,
          client,
        });
        return new Response(
          [204, 304].includes(answer.status) ? null : answer.body,
          { status: answer.status, headers: answer.headers },
        );
      });
    },
  );
  return {
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
      client.close();
    },
  };
}

/** How S3 refuses a request that no policy allows. */
export function accessDenied(): Response {
  return new Response("<Error><Code>AccessDenied</Code></Error>", {
    status: 403,
  });
}
