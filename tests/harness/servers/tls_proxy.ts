/** TLS before a server that speaks none. */
export interface TlsProxy extends AsyncDisposable {
  readonly port: number;
}

/** Ends TLS on 127.0.0.1 and passes what comes on to a server there. */
export function startTlsProxy(
  server: { port: number },
  certificate: { cert: string; key: string },
): TlsProxy {
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    ...certificate,
  });
  const open = new Set<Deno.Conn>();
  const pass = async (client: Deno.TlsConn) => {
    const upstream = await Deno.connect({
      hostname: "127.0.0.1",
      port: server.port,
    });
    open.add(client).add(upstream);
    await Promise.allSettled([
      client.readable.pipeTo(upstream.writable),
      upstream.readable.pipeTo(client.writable),
    ]);
    open.delete(client);
    open.delete(upstream);
  };
  const passing = new Set<Promise<void>>();
  const accepting = (async () => {
    for (;;) {
      try {
        passing.add(pass(await listener.accept()));
      } catch (error) {
        // Other errors are of one client, who refused the certificate.
        if (error instanceof Deno.errors.BadResource) return;
      }
    }
  })();
  return {
    port: listener.addr.port,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const connection of open) closeOnce(connection);
      await accepting;
      await Promise.allSettled(passing);
    },
  };
}

/** A stream that has ended has closed its connection. */
function closeOnce(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
