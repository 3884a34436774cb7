import { isAbsolute } from "node:path";
import pg from "pg";
import { messageOf, StageError } from "../errors.ts";
import {
  type PostgresSettings,
  serverName,
} from "../settings/connection_url.ts";
import { maskOf } from "../settings/secret_mask.ts";
import { quoteName } from "../sql/quote.ts";

/** `feature_not_supported`. */
const UNSUPPORTED = "0A000";

/**
 * A pooler's own errors all have the SQLSTATE 08P01 (protocol_violation). These
 * are the ones that Postgres has a SQLSTATE of its own for, as PgBouncer words
 * them: https://github.com/pgbouncer/pgbouncer/blob/master/src/client.c
 */
const POOLER_STATES: readonly (readonly [RegExp, string])[] = [
  [
    /^(password|SASL|PAM|"trust") authentication failed|^no such user/i,
    "28P01",
  ],
  [
    /^certificate authentication failed|login rejected$|^not allowed$/i,
    "28000",
  ],
  [/^SSL required$/i, "28000"],
  [/^database ".*" does not exist|^no such database/i, "3D000"],
  [/^no more connections allowed/i, "53300"],
  [/^unsupported (options )?startup parameter/i, UNSUPPORTED],
];

/** Classes of SQLSTATEs that a second attempt would meet again. */
const LASTING_STATES = /^(0A|22|28|3D|42|55|58P01|F0)/;
/** `cannot_connect_now`. */
const STARTING = "57P03";

/** The error for a server that can't be reached; it never shows a password. */
export function connectError(
  error: unknown,
  settings: PostgresSettings,
): StageError {
  const subject = serverName(settings);
  const state = stateOf(error);
  const password = settings.password;
  let found = messageOf(error) ||
    (error instanceof AggregateError
      ? error.errors.map(messageOf).join("; ")
      : "no answer");
  const { user, database, host } = settings;
  const secrets = [password ?? "", keyPasswordOf(settings)];
  found = maskOf(secrets, [user, database, host])(found);
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
  const said = withoutNames(found, settings);
  return new StageError(`Cannot connect to ${subject}: ${found}`, {
    subject,
    retryable: !LASTING_STATES.test(state) &&
      !(state === "" && (isAboutCertificates(said) || lacksTls(said))),
    loginRefused: ["28P01", "28000"].includes(state),
    hint: hintFor(state, said, settings),
    cause: undefined,
  });
}

/** The SQLSTATE of the server's answer; "" if it gave none. */
function stateOf(error: unknown): string {
  if (!(error instanceof pg.DatabaseError)) return "";
  const { code = "", message } = error;
  if (code !== "08P01") return code;
  return POOLER_STATES.find(([said]) => said.test(message))?.[1] ?? code;
}

/** The message less the names in it, which may read like a part of it. */
function withoutNames(found: string, { host }: PostgresSettings): string {
  return found.replace(/"[^"]*"/g, '""').replaceAll(host, "");
}

function keyPasswordOf({ tls }: PostgresSettings): string {
  return tls === false ? "" : tls.client?.keyPassword ?? "";
}

function isAboutCertificates(said: string): boolean {
  return /certificate|self.signed|altnames|handshake|alert/i.test(said);
}

function lacksTls(said: string): boolean {
  return /does not support SSL/i.test(said);
}

function hintFor(
  state: string,
  said: string,
  settings: PostgresSettings,
): string {
  const { user, database, host } = settings;
  const forLogin = loginHint(state, said, settings);
  if (forLogin !== undefined) return forLogin;
  if (state === "3D000") return "Check the database's name in the URL";
  if (state === "53300") {
    return /too many connections for (role|database)/.test(said)
      ? `Its connection limit is reached: end other sessions, or raise it: alter role ${
        quoteName(user)
      } connection limit ..., or alter database`
      : "The server has no free connection: try later";
  }
  if (state === "42501" && /for database/.test(said)) {
    return `Allow it: grant connect on database ${quoteName(database)} to ${
      quoteName(user)
    }`;
  }
  if (state === UNSUPPORTED) {
    return "The pooler there does not pass it on: remove it from the URL (or from PGOPTIONS) and set it for the role, alter role ... set ..., or use the database's own address";
  }
  if (/^(22|42)/.test(state)) {
    return "Correct the options in the URL, or in PGOPTIONS";
  }
  if (state.startsWith("55")) {
    return "Name another database in the URL, or let this one take connections: alter database ... allow_connections true";
  }
  if (state === "" && isAboutCertificates(said)) {
    return "Set sslrootcert to the server's CA, or set sslmode, in the URL";
  }
  if (lacksTls(said)) {
    return "The server does not support TLS: add ?sslmode=disable to the URL if you trust the network";
  }
  if (/\b(EACCES|EPERM|ENOENT)\b/.test(said) && isAbsolute(host)) {
    return `Check that the server's socket is in ${host}, and that this user may use it`;
  }
  if (/\bENOTFOUND\b/.test(said)) {
    return "Check the host's name in the URL, and that this machine can look it up";
  }
  if (state === STARTING) {
    return "The server runs, and takes no connections while it starts, stops or recovers: try later";
  }
  if (state !== "") {
    return "The server answers, and refuses the connection as the message says; its log, or that of a pooler before it, may say more";
  }
  return "Check that the server runs and that this machine can reach it";
}

/** What to do about a user who is not let in; undefined for other errors. */
function loginHint(
  state: string,
  said: string,
  settings: PostgresSettings,
): string | undefined {
  const { user, tls } = settings;
  const shown = tls !== false && tls.client !== undefined;
  const isRefused = state === "28000" ||
    (state === "" && /alert|certificate required/i.test(said));
  if (isRefused && isAboutCertificates(said)) {
    return shown
      ? `Check that sslcert and sslkey are those of the user "${user}", signed by a CA that the server trusts`
      : "The server requires a client certificate: set sslcert and sslkey in the URL, with sslmode=verify-full";
  }
  if (/no pg_hba\.conf entry/.test(said)) {
    return tls === false
      ? "Allow this user from this machine in the server's pg_hba.conf; if it requires TLS, add ?sslmode=verify-full to the URL"
      : "Allow this user from this machine in the server's pg_hba.conf";
  }
  if (/^(peer|ident) authentication failed/i.test(said)) {
    return `The server accepts "${user}" only from the operating system's user of that name: run as that user, or change its pg_hba.conf`;
  }
  if (/^SSL required/.test(said)) {
    return "The pooler requires TLS: add ?sslmode=verify-full to the URL";
  }
  if (/is not permitted to log in/.test(said)) {
    return `Allow it: alter role ${quoteName(user)} login`;
  }
  if (state === "28P01" || state === "28000") {
    return `Check the password and the rights of the user "${user}"`;
  }
  return undefined;
}
