import type pg from "pg";

/** Parts of the driver's client that its types leave out. */
type WaitingClient = pg.Client & {
  readyForQuery?: boolean;
  connection: { stream: SilentStream };
};

/** A socket of TCP or TLS. */
interface SilentStream {
  setTimeout(ms: number): void;
  on(event: "timeout", callback: () => void): void;
  destroy(error: Error): void;
}

/**
 * Ends a connection on which a query has waited for this many milliseconds
 * without a byte either way; the query fails. A peer that vanished is noticed
 * by the system, unless something between answers for it: a proxy, a firewall.
 */
export function limitSilence(client: pg.Client, ms: number): void {
  const { connection: { stream } } = client as WaitingClient;
  stream.on("timeout", () => {
    if ((client as WaitingClient).readyForQuery === true) {
      // Deno's timer, unlike Node's, runs out once for all.
      stream.setTimeout(ms);
    } else {
      stream.destroy(new Error(`no answer for ${ms / 1000} seconds`));
    }
  });
  stream.setTimeout(ms);
}
