import { isAbsolute } from "node:path";
import pg from "pg";
import { messageOf, StageError } from "../errors.ts";
import {
  type PostgresSettings,
  serverName,
} from "../settings/connection_url.ts";
import { maskOf } from "../settings/secret_mask.ts";

/** What a server that can't be connected to is told as; never the password. */
export function connectError(
  error: unknown,
  settings: PostgresSettings,
): StageError {
  const subject = serverName(settings);
  const state = error instanceof pg.DatabaseError ? error.code ?? "" : "";
  const password = settings.password;
  let found = messageOf(error) ||
    (error instanceof AggregateError
      ? error.errors.map(messageOf).join("; ")
      : "no answer");
  found = maskOf([password ?? "", keyPasswordOf(settings)])(found);
  if (
    password === undefined &&
    (state === "28P01" || /client password must be a string/.test(found))
  ) {
    return new StageError(`Cannot connect to ${subject}: no password is set`, {
      subject,
      hint:
        "Put it into the URL, postgres://user:password@host:port/database, or into PGPASSWORD",
    });
  }
  return new StageError(`Cannot connect to ${subject}: ${found}`, {
    subject,
    retryable: !["28P01", "28000", "3D000"].includes(state) &&
      !isAboutCertificates(found),
    loginRefused: ["28P01", "28000"].includes(state),
    hint: hintFor(state, found, settings),
    cause: undefined,
  });
}

function keyPasswordOf({ tls }: PostgresSettings): string {
  return tls === false ? "" : tls.client?.keyPassword ?? "";
}

function isAboutCertificates(found: string): boolean {
  return /certificate|self.signed|altnames|handshake|alert/i.test(found);
}

function hintFor(
  state: string,
  found: string,
  settings: PostgresSettings,
): string {
  const shown = settings.tls !== false && settings.tls.client !== undefined;
  const isRefused = state === "28000" || /alert|certificate required/i
    .test(found);
  if (isRefused && isAboutCertificates(found)) {
    return shown
      ? `Check that sslcert and sslkey are those of the user "${settings.user}", signed by a CA that the server trusts`
      : "The server asks for a client's certificate: give sslcert and sslkey in the URL, with sslmode=verify-full";
  }
  if (/no pg_hba\.conf entry/.test(found)) {
    return settings.tls === false
      ? "Let this user in from this machine in the server's pg_hba.conf; if it asks for TLS, add ?sslmode=verify-full to the URL"
      : "Let this user in from this machine in the server's pg_hba.conf";
  }
  if (/^(peer|ident) authentication failed/i.test(found)) {
    return `The server lets "${settings.user}" in only as the system's user of that name: run as that one, or change its pg_hba.conf`;
  }
  if (state === "28P01" || state === "28000") {
    return `Check the password and the rights of the user "${settings.user}"`;
  }
  if (state === "3D000") return "Check the database's name in the URL";
  if (state === "53300") return "The server has no connection left: try later";
  if (isAboutCertificates(found)) {
    return "Give the server's CA with sslrootcert, or sslmode in the URL";
  }
  if (/does not support SSL/i.test(found)) {
    return "The server has no TLS: add ?sslmode=disable to the URL if you trust the network";
  }
  if (/\b(EACCES|EPERM|ENOENT)\b/.test(found) && isAbsolute(settings.host)) {
    return `Check that the server's socket is in ${settings.host}, and that this user may use it`;
  }
  return "Check that the server runs and that this machine may reach it";
}
