/** An S3 server that is watched, and fails on demand. */
export interface S3Proxy extends AsyncDisposable {
  readonly endpoint: string;
  /** What was asked: `PUT /bucket/key?partNumber=1`, in order. */
  readonly requests: string[];
  /** Answers in the server's place, when it answers at all. */
  fault: ((request: Request) => Fault | Promise<Fault>) | undefined;
}

/**
 * An answer of S3's; "lost" when the server's own is to be lost, "cut" when the
 * connection is to end in the middle of what is sent.
 */
export type Fault = Response | "lost" | "cut" | undefined;

/** Stands before an S3 server, to which it passes on what was signed. */
export function startS3Proxy(server: string): S3Proxy {
  // The host is a part of that: it must stay the proxy's own.
  const client = Deno.createHttpClient({ allowHost: true });
  const listener = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      proxy.requests.push(`${request.method} ${pathname}${search}`);
      const fault = await proxy.fault?.(request);
      if (fault === "cut") {
        await request.body?.getReader().read();
        return new Response(
          new ReadableStream({ start: (stream) => stream.error("cut") }),
        );
      }
      const body = request.method === "PUT" || request.method === "POST"
        ? await request.bytes()
        : null;
      if (fault instanceof Response) return fault;
      const answer = await fetch(`${server}${pathname}${search}`, {
        method: request.method,
        headers: request.headers,
        body,
        client,
      });
      if (fault === undefined) return answer;
      await answer.body?.cancel();
      return s3Refusal(500, "InternalError");
    },
  );
  const proxy: S3Proxy = {
    endpoint: `http://127.0.0.1:${listener.addr.port}`,
    requests: [],
    fault: undefined,
    [Symbol.asyncDispose]: async () => {
      await listener.shutdown();
      client.close();
    },
  };
  return proxy;
}

/** An error as S3 words it. */
export function s3Refusal(status: number, code: string): Response {
  const body =
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} it is</Message></Error>`;
  return new Response(body, {
    status,
    headers: { "content-type": "application/xml" },
  });
}
