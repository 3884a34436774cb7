import { Client } from "pg";
import { type FillOptions, fillSource } from "../../demo/fill.ts";
import { startPostgresServer } from "../../embedded/postgres_server.ts";

/** A throwaway server with one filled source, and a connection to it. */
export interface Source extends AsyncDisposable {
  url: string;
  client: Client;
}

/** Starts a server and fills its database `totesys`. */
export async function startSource(
  options: FillOptions,
): Promise<Source> {
  const server = await startPostgresServer({
    dataDir: await Deno.makeTempDir(),
    persistent: false,
  });
  const admin = new Client({ connectionString: server.url("postgres") });
  await admin.connect();
  await admin.query("create database totesys");
  await admin.end();
  const url = server.url("totesys");
  const client = new Client({ connectionString: url });
  await client.connect();
  await fillSource(client, options);
  return {
    url,
    client,
    async [Symbol.asyncDispose]() {
      await client.end();
      await server.stop();
    },
  };
}
