import type { Config, Environment } from "./config.ts";

const SECRET_SETTINGS = [
  "PGPASSWORD",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "DASHBOARD_TOKEN",
  "ICEBERG_REST_TOKEN",
];
/** Their values are in messages, and no secret. */
const NAMES = ["PGUSER", "PGDATABASE", "PGHOST"];
const URLS = ["SOURCE_URL", "WAREHOUSE_URL", "ANALYST_URL", "TRINO_URL"];
const MASK = "***";
/** Shorter secrets occur in words that aren't secret. */
const SECRET_CHARACTERS_MIN = 8;
/** Passwords of examples: in a message they are ordinary words. */
const WORDS =
  /^(passwords?|postgres(ql)?|database|warehouse|localhost|transform|dashboard|analysts?|extracts?|connection|administrator)$/i;
/** Names that are followed by a secret, and not by a word. */
const SECRET_NAME = String
  .raw`(?:passw(?:or)?d|pwd|passphrase|secret|token|authorization|access_?key)`;

/**
 * Makes a mask that removes the environment's secrets from whatever a command
 * writes: a second safeguard, for what a server or a library may put into an
 * error.
 */
export function secretMask(env: Environment): (text: string) => string {
  const urls = URLS.map((name) => env(name) ?? "");
  return maskOf(
    [
      ...SECRET_SETTINGS.map((name) => env(name)?.trim() ?? ""),
      ...urls.flatMap(passwordsOf),
      // After the client's name.
      (env("ICEBERG_REST_CREDENTIAL") ?? "").trim().replace(/^[^:]*:/, ""),
    ],
    [...NAMES.map((name) => env(name) ?? ""), ...urls.flatMap(namesOf)],
  );
}

/** Like `secretMask`, for a configuration that has been read. */
export function secretsOf(config: Config): (text: string) => string {
  const { source, warehouse, analyst, dashboard, s3, trino, icebergRest } =
    config;
  const login = icebergRest?.login ?? { token: "" };
  const servers = [source, warehouse, analyst];
  return maskOf(
    [
      ...servers.flatMap((server) => [
        server?.password ?? "",
        (server?.tls || undefined)?.client?.keyPassword ?? "",
      ]),
      dashboard.token ?? "",
      trino?.password ?? "",
      "token" in login ? login.token : login.clientSecret,
      s3?.accessKeyId ?? "",
      s3?.secretAccessKey ?? "",
      s3?.sessionToken ?? "",
    ],
    servers.flatMap((server) =>
      server === undefined ? [] : [server.user, server.database, server.host]
    ),
  );
}

/**
 * Makes a mask that removes secrets from texts, plain or escaped for JSON. One
 * of eight characters or more is removed wherever it occurs. A shorter one may
 * be part of any word, and one that is a word may be meant as such: these are
 * removed only where a secret is expected, in a URL, after a name such as
 * `password=`, in quotes after such a name, or as the whole text. So is one that
 * is also a user's, a database's or a host's name, given as `names`: messages
 * would lose those.
 */
export function maskOf(
  given: readonly string[],
  names: readonly string[] = [],
): (text: string) => string {
  const secrets = [...new Set(given.filter((secret) => secret !== ""))]
    .flatMap((secret) => [
      ...new Set([secret, JSON.stringify(secret).slice(1, -1)]),
    ])
    // The longest first, since one may contain another.
    .sort((a, b) => b.length - a.length);
  const isLong = (secret: string) =>
    secret.length >= SECRET_CHARACTERS_MIN && !WORDS.test(secret) &&
    !names.includes(secret);
  const long = secrets.filter(isLong);
  const short = secrets.filter((secret) => !isLong(secret));
  const places = short.map(placesOf);
  return (text) => {
    if (short.includes(text.trim())) return MASK;
    const masked = long.reduce(
      (masked, secret) => masked.replaceAll(secret, MASK),
      text,
    );
    return places.reduce(
      (masked, place) => masked.replace(place, MASK),
      masked,
    );
  };
}

/** Matches a short secret where a secret is expected. */
function placesOf(secret: string): RegExp {
  const escaped = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  const inUrl = String.raw`(?<=:\/\/[^\s:@/]*:)${escaped}(?=@)`;
  const named = String
    .raw`(?<=${SECRET_NAME}\w*\\?["']?\s{0,3}(?:[:=]\s{0,3}\\?["']?|\\?["']))${escaped}(?!\w)`;
  return new RegExp(`${inUrl}|${named}`, "gi");
}

/** A URL's password, up to the last `@`, and those among its parameters. */
function passwordsOf(url: string): string[] {
  const [, password = ""] = /^[^:]*:\/\/[^:@/]*:(.*)@/s.exec(url) ?? [];
  const named = [...url.matchAll(/[?&](?:ssl)?password=([^&]*)/gi)]
    .map(([, value = ""]) => value);
  return [password, ...named].flatMap((one) => {
    try {
      return [one, decodeURIComponent(one)];
    } catch {
      return [one];
    }
  });
}

/** A URL's user, database and host. */
function namesOf(url: string): string[] {
  const [, user = "", host = "", database = ""] =
    /^[^:]*:\/\/(?:([^:@/]*)(?::.*)?@)?([^:/?@]*)[^/?]*\/?([^?]*)/s.exec(url) ??
      [];
  return [user, host, database];
}
