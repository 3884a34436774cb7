import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import { nearestName } from "../nearest_name.ts";
import {
  readParameters,
  SESSION_TARGETS,
  type SessionTarget,
} from "./connection_parameters.ts";

/** How to reach a Postgres server. */
export interface PostgresSettings {
  /** A name, an address, or the folder of a Unix socket. */
  host: string;
  port: number;
  database: string;
  user: string;
  password: string | undefined;
  /** `false`: no TLS; else how the server's certificate is checked. */
  tls: false | TlsSettings;
  /** The kind of server that it must be; any, if left out. */
  sessionTarget?: SessionTarget;
  connectTimeoutMs?: number;
  /** The session's name in the server's views. */
  applicationName?: string;
  /** Command-line options for the server's process, such as `-c name=value`. */
  options?: string;
  /** False if the system does not probe silent connections. */
  keepAlive?: boolean;
  /** How long a connection is silent before the system probes it. */
  keepAliveDelayMs?: number;
}

/** How TLS is used. */
export interface TlsSettings {
  verify: boolean;
  caFile: string | undefined;
  /** The client certificate, if the server requires one. */
  client?: {
    certificateFile: string;
    keyFile: string;
    keyPassword?: string;
  };
}

/** Reads a plain decimal number: `0x10`, `1e3` and an empty text are NaN. */
export function decimal(text: string): number {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
}

/** A server's name for messages, without user and password. */
export function serverName(settings: PostgresSettings): string {
  return `${settings.host}:${settings.port}/${settings.database}`;
}

/** Names of this machine by which no other machine reaches it. */
export const LOCAL_HOSTS = ["localhost", "127.0.0.1", "::1"];

/** Whether what is sent to a URL crosses a network, and can be read there. */
export function isSentInClear({ protocol, hostname }: URL): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return protocol === "http:" && !LOCAL_HOSTS.includes(host);
}
const TLS_MODES = ["disable", "require", "verify-ca", "verify-full"];
/** libpq's modes that guarantee nothing. */
const UNSAFE_TLS_MODES = ["allow", "prefer"];
const POSTGRES_PORT = 5432;
const PORT_MAX = 65_535;
/** The port of a URL; `URL` refuses one that is too large, and says no more. */
const PORT = /^\w+:\/\/(?:[^/?#]*@)?[^/?#@]*:(\d+)(?:[/?#]|$)/;
const CONNECT_SECONDS_MAX = 3600;
const IDLE_SECONDS_MAX = 86_400;

/** How the parts of a URL are read, and what is wrong with them reported. */
interface UrlReader {
  /** A parameter of the URL. */
  get: (name: string) => string | undefined;
  /** A variable of the environment. */
  read: (name: string) => string | undefined;
  problem: (found: string) => void;
}

/**
 * Reads a connection URL; libpq's variables supply what it leaves out, and a
 * parameter that can't be honoured is a problem. TLS with verification is the
 * default for a host that isn't local.
 */
export function readPostgresUrl(
  text: string,
  options: {
    name: string;
    read: (name: string) => string | undefined;
    problems: string[];
  },
): PostgresSettings | undefined {
  const { name, read, problems } = options;
  const problem = (found: string) => {
    // A variable belongs to every URL: reporting it once is enough.
    const line = found.startsWith("PG") ? found : `${name}: ${found}`;
    if (!problems.includes(line)) problems.push(line);
  };
  if (/^\w+:\/\/([^/?#]*@)?[^/?#@]*,/.test(text)) {
    problem(SEVERAL_HOSTS);
    return undefined;
  }
  const port = PORT.exec(text)?.[1];
  if (port !== undefined && Number(port) > PORT_MAX) {
    problem(notPort("port", port));
    return undefined;
  }
  const url = parseUrl(text);
  if (url === undefined) {
    problems.push(
      `${name} is malformed: postgres://user:password@host:port/database is expected, with @ : / ? # % of the password as %40 %3A %2F %3F %23 %25`,
    );
    return undefined;
  }
  if (!["postgres:", "postgresql:"].includes(url.protocol)) {
    problems.push(`${name} begins with ${url.protocol}//, not postgres://`);
    return undefined;
  }
  const get = readParameters(url.search, { read, problem });
  const reader = { get, read, problem };
  const host = get("host") ?? (hostOf(url) || read("PGHOST") || "localhost");
  if (host.includes(",")) problem(SEVERAL_HOSTS);
  const user = get("user") ??
    (decodeURIComponent(url.username) || read("PGUSER") || "postgres");
  return {
    host,
    port: readPort(url, reader),
    database: get("dbname") ??
      (decodeURIComponent(url.pathname.slice(1)) || read("PGDATABASE") || user),
    user,
    password: get("password") ??
      (decodeURIComponent(url.password) || read("PGPASSWORD")),
    ...readSession(reader),
    tls: readTls(host, reader),
  };
}

/** Undefined where the text is no URL, or its password is not encoded. */
function parseUrl(text: string): URL | undefined {
  try {
    const url = new URL(text.replace(WITHOUT_HOST, `$1${NO_HOST}`));
    // Throws if a % is not followed by a code.
    decodeURIComponent(url.href);
    checkEncoded(url);
    return url;
  } catch {
    return undefined;
  }
}

function hostOf({ hostname }: URL): string {
  return hostname === NO_HOST
    ? ""
    : decodeURIComponent(hostname.replace(/^\[|\]$/g, ""));
}

function readPort(url: URL, { get, read, problem }: UrlReader): number {
  const text = get("port") ?? (url.port || read("PGPORT"));
  const port = text === undefined ? POSTGRES_PORT : decimal(text);
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) {
    const from = get("port") === undefined && url.port === ""
      ? "PGPORT"
      : "port";
    problem(notPort(from, text ?? ""));
  }
  return port;
}

function notPort(name: string, text: string): string {
  return `${name} is "${text}", which is not a port`;
}

/** The settings of a session, and of the connection beneath it. */
function readSession({ get, read, problem }: UrlReader) {
  const seconds = (
    name: string,
    { text = get(name), most }: { text?: string | undefined; most: number },
  ) => {
    if (text === undefined) return undefined;
    const value = decimal(text);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    problem(
      `${name} is "${text}": a whole number of seconds from 1 to ${most} is expected`,
    );
  };
  const connectSeconds = seconds("connect_timeout", {
    text: get("connect_timeout") ?? read("PGCONNECT_TIMEOUT"),
    most: CONNECT_SECONDS_MAX,
  });
  const idleSeconds = seconds("keepalives_idle", { most: IDLE_SECONDS_MAX });
  const target = get("target_session_attrs") ?? read("PGTARGETSESSIONATTRS");
  if (target !== undefined && !isSessionTarget(target)) {
    problem(
      `target_session_attrs is "${target}": one of ${
        SESSION_TARGETS.join(", ")
      } is expected${suggestion(target, SESSION_TARGETS)}`,
    );
  }
  const keepAlive = get("keepalives");
  if (keepAlive !== undefined && !["0", "1"].includes(keepAlive)) {
    problem(`keepalives is "${keepAlive}": 0 or 1 is expected`);
  }
  return defined({
    sessionTarget: isSessionTarget(target) && target !== "any"
      ? target
      : undefined,
    connectTimeoutMs: connectSeconds && connectSeconds * 1000,
    applicationName: get("application_name") ?? read("PGAPPNAME"),
    options: get("options") ?? read("PGOPTIONS"),
    keepAlive: keepAlive === "0" ? false as const : undefined,
    keepAliveDelayMs: idleSeconds && idleSeconds * 1000,
  });
}

/** A user without a host, which libpq accepts and `URL` does not. */
const WITHOUT_HOST = /^(\w+:\/\/[^/?#]*@)(?=[:/?#]|$)/;
const NO_HOST = "no-host.invalid";
const SEVERAL_HOSTS =
  "several hosts are named, and only one is supported: name the one to connect to";

function readTls(
  host: string,
  { get, read, problem }: UrlReader,
): false | TlsSettings {
  const local = isAbsolute(host) || LOCAL_HOSTS.includes(host) ||
    (isIP(host) === 4 && host.startsWith("127."));
  const ca = get("sslrootcert") ?? read("PGSSLROOTCERT");
  const certificateFile = get("sslcert") ?? read("PGSSLCERT");
  const keyFile = get("sslkey") ?? read("PGSSLKEY");
  // A certificate named in the URL is meant to be used.
  const named = get("sslrootcert") ?? get("sslcert");
  const mode = get("sslmode") ?? read("PGSSLMODE") ??
    (local && named === undefined ? "disable" : "verify-full");
  if (!TLS_MODES.includes(mode)) {
    const reason = UNSAFE_TLS_MODES.includes(mode)
      ? ", which verifies nothing and may go on without TLS"
      : "";
    problem(
      `sslmode is "${mode}"${reason}: one of ${
        TLS_MODES.join(", ")
      } is expected${suggestion(mode, TLS_MODES)}`,
    );
  }
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    const [given, missing] = keyFile === undefined
      ? ["sslcert", "sslkey"]
      : ["sslkey", "sslcert"];
    problem(`${given} is given without ${missing}: a certificate needs both`);
  }
  const isSystem = ca === "system";
  if (isSystem && mode !== "verify-full" && mode !== "disable") {
    problem(`sslrootcert is "system", which needs sslmode=verify-full`);
  }
  // As in libpq: nobody can eavesdrop on a socket of this machine.
  if (mode === "disable" || isAbsolute(host)) return false;
  const keyPassword = get("sslpassword");
  return {
    // As in libpq, a CA named for this server is checked.
    verify: mode.startsWith("verify") || get("sslrootcert") !== undefined,
    caFile: isSystem ? undefined : ca,
    ...(certificateFile === undefined || keyFile === undefined ? {} : {
      client: { certificateFile, keyFile, ...defined({ keyPassword }) },
    }),
  };
}

function isSessionTarget(text: string | undefined): text is SessionTarget {
  return SESSION_TARGETS.some((target) => target === text);
}

function suggestion(text: string, names: readonly string[]): string {
  const nearest = nearestName(text, names);
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}

/** Drops the settings that have no value. */
function defined<Settings extends object>(
  settings: Settings,
): { [Name in keyof Settings]?: Exclude<Settings[Name], undefined> } {
  return Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined),
  ) as { [Name in keyof Settings]?: Exclude<Settings[Name], undefined> };
}

/**
 * Throws if a `/`, `?` or `#` in the password ended the host too early: the
 * rest of it would be taken for the database's name, and be shown.
 */
function checkEncoded(url: URL): void {
  if (/@/.test(url.pathname + url.search) || url.hash !== "") {
    throw new TypeError("a part of the password is not encoded");
  }
}
