import { nearestName } from "../nearest_name.ts";

/** The kinds of server that libpq's `target_session_attrs` may ask for. */
export const SESSION_TARGETS = [
  "any",
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby",
] as const;

export type SessionTarget = typeof SESSION_TARGETS[number];

/** Stands for any value. */
const ANY = "*";
/** Parameters that are honoured; their readers check the values. */
const HONOURED = [
  "host",
  "port",
  "dbname",
  "user",
  "password",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "sslpassword",
  "connect_timeout",
  "application_name",
  "target_session_attrs",
  "options",
  "keepalives",
  "keepalives_idle",
];

/**
 * libpq's other parameters, with their environment variables if they have one,
 * and the values that ask for nothing but what is done here anyway:
 * https://www.postgresql.org/docs/18/libpq-connect.html (34.1.2)
 */
const HARMLESS: Record<string, { variable?: string; values: string[] }> = {
  hostaddr: { variable: "PGHOSTADDR", values: [] },
  passfile: { values: [] },
  require_auth: { variable: "PGREQUIREAUTH", values: [] },
  channel_binding: {
    variable: "PGCHANNELBINDING",
    values: ["disable", "prefer"],
  },
  client_encoding: {
    variable: "PGCLIENTENCODING",
    values: ["utf8", "utf-8", "unicode", "auto"],
  },
  fallback_application_name: { values: [ANY] },
  keepalives_interval: { values: ["0"] },
  keepalives_count: { values: ["0"] },
  tcp_user_timeout: { values: ["0"] },
  replication: { values: ["false", "off", "no", "0"] },
  gssencmode: { variable: "PGGSSENCMODE", values: ["disable", "prefer"] },
  sslnegotiation: { variable: "PGSSLNEGOTIATION", values: ["postgres"] },
  sslcompression: { variable: "PGSSLCOMPRESSION", values: ["0"] },
  sslcertmode: { variable: "PGSSLCERTMODE", values: ["allow"] },
  sslcrl: { variable: "PGSSLCRL", values: [] },
  sslcrldir: { variable: "PGSSLCRLDIR", values: [] },
  sslsni: { variable: "PGSSLSNI", values: ["1"] },
  requiressl: { variable: "PGREQUIRESSL", values: ["0"] },
  requirepeer: { variable: "PGREQUIREPEER", values: [] },
  // Deno supports no TLS older than 1.2, and nothing newer than 1.3 exists.
  ssl_min_protocol_version: {
    variable: "PGSSLMINPROTOCOLVERSION",
    values: ["tlsv1", "tlsv1.1", "tlsv1.2"],
  },
  ssl_max_protocol_version: {
    variable: "PGSSLMAXPROTOCOLVERSION",
    values: ["tlsv1.3"],
  },
  min_protocol_version: {
    variable: "PGMINPROTOCOLVERSION",
    values: ["3.0"],
  },
  max_protocol_version: {
    variable: "PGMAXPROTOCOLVERSION",
    values: ["3.0", "3.2", "latest"],
  },
  krbsrvname: { variable: "PGKRBSRVNAME", values: [] },
  gsslib: { variable: "PGGSSLIB", values: [] },
  gssdelegation: { variable: "PGGSSDELEGATION", values: ["0"] },
  service: { variable: "PGSERVICE", values: [] },
  load_balance_hosts: {
    variable: "PGLOADBALANCEHOSTS",
    values: ["disable"],
  },
};

/** What to do in place of parameters that can't be honoured. */
const INSTEAD: Record<string, string> = {
  channel_binding:
    "sslmode=verify-full proves that the server is the right one",
  service: "put its settings into the URL",
  passfile: "PGPASSFILE names the file",
  hostaddr: "give the address as the host",
  requiressl: "use sslmode",
  sslnegotiation: "leave it out",
};

/**
 * Reads the parameters of a connection URL, as libpq does: a `+` is a plus.
 * Each one that can't be honoured is a problem, and so are libpq's variables
 * that would be ignored here. Returns a function that reads one.
 */
export function readParameters(
  search: string,
  options: {
    read: (name: string) => string | undefined;
    problem: (found: string) => void;
  },
): (name: string) => string | undefined {
  const { read, problem } = options;
  const found = new Map<string, string>();
  for (const pair of search.slice(1).split("&")) {
    if (pair === "") continue;
    const [name = "", value = ""] = pair.split(/=(.*)/s)
      .map(decodeURIComponent);
    if (found.has(name)) problem(`${name} is given twice`);
    found.set(name, value);
    if (HONOURED.includes(name)) continue;
    const harmless = HARMLESS[name];
    if (harmless === undefined) {
      const nearest = nearestName(name, [
        ...HONOURED,
        ...Object.keys(HARMLESS),
      ]);
      problem(
        `no parameter is called "${name}"${
          nearest === undefined
            ? ": leave it out"
            : `: did you mean ${nearest}?`
        }`,
      );
    } else if (!isHarmless(value, harmless.values)) {
      problem(refusal(name, { name, value }));
    }
  }
  for (const [parameter, { variable, values }] of Object.entries(HARMLESS)) {
    const value = variable === undefined ? undefined : read(variable);
    if (variable === undefined || value === undefined) continue;
    if (found.has(parameter) || isHarmless(value, values)) continue;
    problem(refusal(parameter, { name: variable, value }));
  }
  return (name) => found.get(name) || undefined;
}

function isHarmless(value: string, values: readonly string[]): boolean {
  return values.includes(ANY) || values.includes(value.toLowerCase());
}

function refusal(
  parameter: string,
  given: { name: string; value: string },
): string {
  const values = HARMLESS[parameter]?.values ?? [];
  const instead = INSTEAD[parameter] ??
    (values.length === 0 ? "leave it out" : `${values.join(" or ")} can`);
  return values.length === 0
    ? `${given.name} can't be honoured: ${instead}`
    : `${given.name} is "${given.value}", which can't be honoured: ${instead}`;
}
