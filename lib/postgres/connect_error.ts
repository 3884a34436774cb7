import { isAbsolute } from "node:path";
import pg from "pg";
import { messageOf, StageError } from "../errors.ts";
import {
  type PostgresSettings,
  serverName,
} from "../settings/connection_url.ts";
import { maskOf } from "../settings/secret_mask.ts";

/** The error for a server that can't be reached; it never shows a password. */
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
      : "The server requires a client certificate: set sslcert and sslkey in the URL, with sslmode=verify-full";
  }
  if (/no pg_hba\.conf entry/.test(found)) {
    return settings.tls === false
      ? "Allow this user from this machine in the server's pg_hba.conf; if it requires TLS, add ?sslmode=verify-full to the URL"
      : "Allow this user from this machine in the server's pg_hba.conf";
  }
  if (/^(peer|ident) authentication failed/i.test(found)) {
    return `The server accepts "${settings.user}" only from the operating system's user of that name: run as that user, or change its pg_hba.conf`;
  }
  if (state === "28P01" || state === "28000") {
    return `Check the password and the rights of the user "${settings.user}"`;
  }
  if (state === "3D000") return "Check the database's name in the URL";
  if (state === "53300") return "The server has no free connection: try later";
  if (isAboutCertificates(found)) {
    return "Set sslrootcert to the server's CA, or set sslmode, in the URL";
  }
  if (/does not support SSL/i.test(found)) {
    return "The server does not support TLS: add ?sslmode=disable to the URL if you trust the network";
  }
  if (/\b(EACCES|EPERM|ENOENT)\b/.test(found) && isAbsolute(settings.host)) {
    return `Check that the server's socket is in ${settings.host}, and that this user may use it`;
  }
  return "Check that the server runs and that this machine can reach it";
}
