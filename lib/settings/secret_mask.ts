import type { Config, Environment } from "./config.ts";

const SECRETS = [
  "PGPASSWORD",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "DASHBOARD_TOKEN",
];
const URLS = ["SOURCE_URL", "WAREHOUSE_URL", "ANALYST_URL"];
const MASK = "***";
/** Shorter ones turn up in words that are no secret. */
const SECRET_CHARACTERS_MIN = 8;
/** Passwords of examples: found in a message, they are words of it. */
const WORDS =
  /^(passwords?|postgres(ql)?|database|warehouse|localhost|transform|dashboard|analysts?|extracts?|connection|administrator)$/i;
/** What is followed by a secret, and not by a word. */
const SECRET_NAME = String
  .raw`(?:passw(?:or)?d|pwd|passphrase|secret|token|authorization|access_?key)`;

/**
 * Takes the secrets of the environment out of whatever a command writes: a
 * belt over the braces, for what a server or a library may put into an error.
 */
export function secretMask(env: Environment): (text: string) => string {
  return maskOf([
    ...SECRETS.map((name) => env(name)?.trim() ?? ""),
    ...URLS.flatMap((name) => passwordsOf(env(name) ?? "")),
  ]);
}

/** As `secretMask`, of a configuration that was read. */
export function secretsOf(config: Config): (text: string) => string {
  const { source, warehouse, analyst, dashboard, s3 } = config;
  return maskOf([
    ...[source, warehouse, analyst].flatMap((server) => [
      server?.password ?? "",
      (server?.tls || undefined)?.client?.keyPassword ?? "",
    ]),
    dashboard.token ?? "",
    s3?.accessKeyId ?? "",
    s3?.secretAccessKey ?? "",
    s3?.sessionToken ?? "",
  ]);
}

/**
 * Takes secrets out of texts, as they are and as JSON has them. One of eight
 * characters or more is taken out wherever it stands. A shorter one may be a
 * part of any word, and one that is a word may be meant as such: these only
 * where a secret stands, in a URL, after a name such as `password=`, in quotes
 * after such a name, or as the whole text.
 */
export function maskOf(given: readonly string[]): (text: string) => string {
  const secrets = [...new Set(given.filter((secret) => secret !== ""))]
    .flatMap((secret) => [
      ...new Set([secret, JSON.stringify(secret).slice(1, -1)]),
    ])
    // The longest first, for one may hold another.
    .sort((a, b) => b.length - a.length);
  const isLong = (secret: string) =>
    secret.length >= SECRET_CHARACTERS_MIN && !WORDS.test(secret);
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

/** Where a short secret stands as such. */
function placesOf(secret: string): RegExp {
  const escaped = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  const inUrl = String.raw`(?<=:\/\/[^\s:@/]*:)${escaped}(?=@)`;
  const named = String
    .raw`(?<=${SECRET_NAME}\w*\\?["']?\s{0,3}(?:[:=]\s{0,3}\\?["']?|\\?["']))${escaped}(?!\w)`;
  return new RegExp(`${inUrl}|${named}`, "gi");
}

/** A URL's password up to its last `@`, and those that follow its `?`. */
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
