import type pg from "pg";
import { StageError } from "../errors.ts";
import { queryRow } from "../postgres/postgres.ts";

const ENCODING = "UTF8";

/**
 * Refuses a warehouse that can't hold every text, or may hold bytes that are
 * not text: throws a `StageError` unless its encoding is UTF8.
 */
export async function checkEncoding(
  client: pg.Client,
  server: string,
): Promise<void> {
  const { encoding } = await queryRow(
    client,
    "select current_setting('server_encoding') as encoding",
  );
  if (encoding === ENCODING) return;
  throw new StageError(
    `Cannot load into ${server}: the database has the encoding ${encoding}, and only ${ENCODING} holds every text`,
    {
      subject: server,
      hint:
        `Create the warehouse in a database of its own: create database NAME encoding '${ENCODING}' template template0`,
    },
  );
}
