import {
  GetSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { join } from "node:path";
import { messageOf, StageError } from "../errors.ts";
import type { Environment } from "./setting_reader.ts";
import { regionOf } from "./zone_settings.ts";

/** Connection URLs that may be in AWS Secrets Manager, and their ids there. */
const URL_IDS = [
  { id: "SOURCE_SECRET_ID", name: "SOURCE_URL" },
  { id: "WAREHOUSE_SECRET_ID", name: "WAREHOUSE_URL" },
  { id: "ANALYST_SECRET_ID", name: "ANALYST_URL" },
] as const;
/** Texts that may be there as well, and the setting that each is. */
const TEXT_IDS = [
  { id: "DASHBOARD_SECRET_ID", nameOf: () => "DASHBOARD_TOKEN" },
  {
    id: "ICEBERG_SECRET_ID",
    // A token of OAuth 2 has no colon: RFC 6750, 2.1.
    nameOf: (text: string) =>
      text.includes(":") ? "ICEBERG_REST_CREDENTIAL" : "ICEBERG_REST_TOKEN",
  },
] as const;

/** Fields that are meant to take effect, unlike notes. */
const ABOUT_TLS = /^(ca|cert|key|root|ssl|tls)/i;

/** The content of a secret: a connection URL, and perhaps the server's CA. */
interface Secret {
  url: string;
  ca?: string | null;
}

/**
 * Adds to the environment the secrets that its `*_SECRET_ID` variables refer
 * to. One with a connection URL is the URL itself, JSON
 * `{"url": ..., "ca": PEM}`, or JSON as AWS rotates it, with `username`,
 * `password`, `host` and `dbname`; the CA goes into a file of the folder, which
 * the URL then names. The dashboard's token, and what an Iceberg REST catalogue
 * asks for, are used as they are. Throws a `StageError`, which never shows the
 * value, if a secret can't be read.
 */
export async function withSecrets(
  env: Environment,
  options: { folder: string },
): Promise<Environment> {
  const found = new Map<string, string>();
  const client = new SecretsManagerClient({
    region: regionOf(env),
  });
  try {
    for (const { id, nameOf } of TEXT_IDS) {
      const secretId = env(id)?.trim() ?? "";
      if (secretId === "") continue;
      const text = await readText(client, secretId);
      found.set(nameOf(text), text);
    }
    for (const { id, name } of URL_IDS) {
      const secretId = env(id)?.trim() ?? "";
      if (secretId === "") continue;
      const { url, ca } = await readSecret(client, secretId);
      found.set(name, typeof ca === "string" ? await withCa(url, ca) : url);
    }
  } finally {
    client.destroy();
  }
  return (name) => found.get(name) ?? env(name);

  async function withCa(text: string, ca: string): Promise<string> {
    const { hostname, search } = new URL(text);
    const path = join(options.folder, `ca-${hostname}.pem`);
    await Deno.writeTextFile(path, ca);
    const sign = search === "" ? "?" : "&";
    return `${text.replace(/\?$/, "")}${sign}sslrootcert=${
      encodeURIComponent(path)
    }`;
  }
}

async function readText(
  client: SecretsManagerClient,
  secretId: string,
): Promise<string> {
  try {
    const command = new GetSecretValueCommand({ SecretId: secretId });
    return (await client.send(command)).SecretString?.trim() ?? "";
  } catch (error) {
    throw new StageError(
      `Cannot read the secret ${secretId}: ${messageOf(error)}`,
      {
        subject: secretId,
        hint:
          "Give it a value, and let the function's role read it: docs/deploy.md",
        retryable: true,
        cause: error,
      },
    );
  }
}

async function readSecret(
  client: SecretsManagerClient,
  secretId: string,
): Promise<Secret> {
  const secret = parseSecret(await readText(client, secretId));
  const unknown = Object.keys(secret ?? {})
    .filter((name) => name !== "ca" && ABOUT_TLS.test(name));
  if (secret !== undefined && unknown.length === 0) return secret;
  const found = secret === undefined
    ? 'it is neither a connection URL nor JSON with "url", or with "username", "password", "host" and "dbname"'
    : `it has unknown fields: ${unknown.map((name) => `"${name}"`).join(", ")}`;
  throw new StageError(`Cannot use the secret ${secretId}: ${found}`, {
    subject: secretId,
    hint:
      'Set it to postgres://user:password@host:port/database, or to {"url": "postgres://...", "ca": "-----BEGIN CERTIFICATE-----..."}',
  });
}

function parseSecret(text: string): Secret | undefined {
  if (URL.canParse(text)) return { url: text };
  try {
    const secret = JSON.parse(text);
    secret.url ??= urlOf(secret);
    const { url, ca } = secret;
    if (typeof url !== "string" || !URL.canParse(url)) return undefined;
    return ["string", "undefined"].includes(typeof (ca ?? undefined))
      ? secret
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The URL of a secret that AWS rotates, which has its parts; undefined if one is
 * missing.
 */
export function urlOf(parts: Record<string, unknown>): string | undefined {
  const texts = ["username", "password", "host", "port", "dbname"].map(
    (name) => {
      const value = parts[name] ?? "";
      return ["string", "number"].includes(typeof value) ? String(value) : "";
    },
  );
  const [user = "", password = "", host = "", port = "", database = ""] = texts
    .map(encodeURIComponent);
  if (user === "" || password === "" || host === "" || database === "") {
    return undefined;
  }
  const address = port === "" ? host : `${host}:${port}`;
  return `postgres://${user}:${password}@${address}/${database}`;
}
