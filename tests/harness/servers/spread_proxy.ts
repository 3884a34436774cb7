/** A name behind which there are several servers. */
export interface SpreadProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * From now on nothing comes through connections that are open, and none ends:
   * so looks a server that vanished to a client behind a proxy or a firewall.
   */
  swallow(): void;
}

/**
 * Passes each connection to 127.0.0.1 on to a server there: to which, `choose`
 * says by the connection's number, from 0.
 */
export function startSpreadProxy(
  choose: (connection: number) => { port: number },
): SpreadProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const passing = new Set<Promise<void>>();
  const swallowed = new WeakSet<Deno.Conn>();
  const pass = async (client: Deno.Conn, port: number) => {
    const upstream = await Deno.connect({ hostname: "127.0.0.1", port });
    open.add(client).add(upstream);
    const filter = () =>
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (piece, next) => {
          if (!swallowed.has(client)) next.enqueue(piece);
        },
      });
    await Promise.allSettled([
      client.readable.pipeThrough(filter()).pipeTo(upstream.writable),
      upstream.readable.pipeThrough(filter()).pipeTo(client.writable),
    ]);
    open.delete(client);
    open.delete(upstream);
  };
  const accepting = (async () => {
    let connections = 0;
    for await (const client of listener) {
      passing.add(pass(client, choose(connections++).port));
    }
  })();
  return {
    port: listener.addr.port,
    swallow: () => {
      for (const connection of open) swallowed.add(connection);
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch (error) {
          // A stream that has ended has closed its connection.
          if (!(error instanceof Deno.errors.BadResource)) throw error;
        }
      }
      await accepting;
      await Promise.allSettled(passing);
    },
  };
}
