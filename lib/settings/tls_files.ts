import { createPrivateKey } from "node:crypto";
import type { ConnectionOptions } from "node:tls";
import { ConfigError, messageOf } from "../errors.ts";
import type { TlsSettings } from "./connection_url.ts";

/**
 * Reads the files for TLS; throws a `ConfigError` that names each bad one.
 * Without a file of certificates, these roots are trusted as well.
 */
export function readTlsFiles(
  { verify, caFile, client }: TlsSettings,
  { server, roots }: { server: string; roots?: string[] | undefined },
): ConnectionOptions {
  const problems: string[] = [];
  const file = (what: string, path: string | undefined) => {
    if (path === undefined) return undefined;
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      problems.push(
        `Cannot read the ${what} of ${server}: ${messageOf(error)}`,
      );
    }
  };
  const ca = file("CA", caFile) ?? roots;
  const cert = file("client certificate", client?.certificateFile);
  const pem = file("client key", client?.keyFile);
  let key = pem;
  try {
    if (pem !== undefined) key = openKey(pem, client?.keyPassword);
  } catch {
    problems.push(
      `Cannot read the client key of ${server}: ${client?.keyFile} is not a key in PEM, or sslpassword does not decrypt it`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

/** Decrypts a key, to PEM without a password. */
function openKey(pem: string, passphrase: string | undefined): string {
  const key = createPrivateKey({
    key: pem,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  return String(key.export({ type: "pkcs8", format: "pem" }));
}
