import type { Environment } from "./config.ts";

const SECRETS = [
  "PGPASSWORD",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "DASHBOARD_TOKEN",
];
const URLS = ["SOURCE_URL", "WAREHOUSE_URL", "ANALYST_URL"];
/** Shorter ones would turn up in words that are no secret. */
const SECRET_CHARACTERS_MIN = 8;

/**
 * Takes the secrets of the environment out of whatever a command writes: a
 * belt over the braces, for what a server or a library may put into an error.
 */
export function secretMask(env: Environment): (text: string) => string {
  const given = [
    ...SECRETS.map((name) => env(name)?.trim() ?? ""),
    ...URLS.flatMap((name) => passwordsOf(env(name) ?? "")),
  ];
  const secrets = given.filter((one) => one.length >= SECRET_CHARACTERS_MIN)
    // As JSON has them, too; the longest first, for one may hold another.
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  return (text) =>
    secrets.reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
}

/** A URL's password up to its last `@`, as it stands there and decoded. */
function passwordsOf(url: string): string[] {
  const [, password = ""] = /^[^:]*:\/\/[^:@/]*:(.*)@/s.exec(url) ?? [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
