import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import type { S3Settings } from "../zone/zone.ts";
import { isKey } from "../zone/zone_key.ts";
import type { Environment, SettingReader } from "./setting_reader.ts";
import { redact } from "./redact.ts";

const GLOB_CHARACTERS = /[*?[]/;
/** Other tools' names for the endpoint: ignored, AWS itself would be used. */
const MISTAKEN_ENDPOINTS = [
  "AWS_ENDPOINT",
  "AWS_ENDPOINT_S3",
  "AWS_S3_ENDPOINT",
  "AWS_S3_ENDPOINT_URL",
];
/** Switches that the AWS SDK honours and DuckDB does not. */
const HALF_HEEDED = [
  "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  "AWS_USE_DUALSTACK_ENDPOINT",
  "AWS_USE_FIPS_ENDPOINT",
];

/** Where the zones are; "" for one that the command doesn't need. */
export interface ZoneSettings {
  ingestionUrl: string;
  processedUrl: string;
  /** Undefined if no zone is in S3. */
  s3: S3Settings | undefined;
}

/** Reads where the zones are, which must be two places. */
export function readZones(
  settings: SettingReader,
  needs: readonly string[],
): ZoneSettings {
  const ingestionUrl = readZoneUrl(settings, {
    name: "INGESTION_URL",
    isNeeded: needs.includes("ingestion"),
  });
  const processedUrl = readZoneUrl(settings, {
    name: "PROCESSED_URL",
    isNeeded: needs.includes("processed"),
  });
  checkApart(settings, {
    INGESTION_URL: realPlace(ingestionUrl),
    PROCESSED_URL: realPlace(processedUrl),
  });
  const isInS3 = [ingestionUrl, processedUrl]
    .some((url) => url.startsWith("s3://"));
  return {
    ingestionUrl,
    processedUrl,
    s3: isInS3 ? readS3(settings) : undefined,
  };
}

/** A directory as an absolute path, which DuckDB must not take as a pattern. */
export function readDirectory(
  settings: SettingReader,
  { name, path }: { name: string; path: string },
): string {
  const whole = resolve(path);
  if (GLOB_CHARACTERS.test(whole)) {
    settings.problems.push(
      `${name} is "${whole}": a path without * ? [ is expected, since DuckDB reads these as patterns`,
    );
  }
  return whole;
}

/** AWS's region from the environment. */
export function regionOf(read: Environment): string {
  return read("AWS_REGION") ?? read("AWS_DEFAULT_REGION") ?? "us-east-1";
}

function readZoneUrl(
  settings: SettingReader,
  { name, isNeeded }: { name: string; isNeeded: boolean },
): string {
  const { problems } = settings;
  const url = settings.read(name)?.replace(/\/+$/, "");
  if (url === undefined) {
    if (isNeeded) {
      problems.push(
        `${name} is missing: set s3://bucket/prefix or a directory`,
      );
    }
    return "";
  }
  const [, prefix] = /^s3:\/\/[a-z0-9][a-z0-9.-]+(\/.*|$)/.exec(url) ?? [];
  if (prefix !== undefined) {
    if (prefix !== "" && !isKey(prefix.slice(1))) {
      problems.push(
        `${name} is "${url}": a prefix of letters, digits and _ - . = is expected`,
      );
    }
    return url;
  }
  if (!url.includes("://")) return readDirectory(settings, { name, path: url });
  problems.push(
    `${name} is "${
      redact(url)
    }": s3://bucket/prefix or a directory is expected`,
  );
  return url;
}

/** Neither zone may be the other one, or inside it. */
function checkApart(
  { problems }: SettingReader,
  places: Record<"INGESTION_URL" | "PROCESSED_URL", string>,
): void {
  const { INGESTION_URL: ingestion, PROCESSED_URL: processed } = places;
  if (ingestion === "" || processed === "") return;
  if (ingestion === processed) {
    problems.push(
      "INGESTION_URL and PROCESSED_URL are the same: each needs its own place",
    );
  } else if (ingestion.startsWith(`${processed}/`)) {
    problems.push(
      "INGESTION_URL is inside PROCESSED_URL: each needs its own place",
    );
  } else if (processed.startsWith(`${ingestion}/`)) {
    problems.push(
      "PROCESSED_URL is inside INGESTION_URL: each needs its own place",
    );
  }
}

/** A directory with its symbolic links resolved, as far as it exists. */
function realPlace(url: string): string {
  if (!isAbsolute(url)) return url;
  try {
    return Deno.realPathSync(url);
  } catch {
    const above = dirname(url);
    return above === url ? url : join(realPlace(above), basename(url));
  }
}

function readS3({ read, problems }: SettingReader): S3Settings {
  const endpoint = read("AWS_ENDPOINT_URL_S3") ?? read("AWS_ENDPOINT_URL");
  for (const name of MISTAKEN_ENDPOINTS) {
    if (endpoint !== undefined || read(name) === undefined) continue;
    problems.push(`${name} is not a setting: did you mean AWS_ENDPOINT_URL?`);
  }
  for (const name of HALF_HEEDED) {
    if (read(name)?.toLowerCase() !== "true") continue;
    problems.push(`${name} can't be honoured: leave it out`);
  }
  if (endpoint !== undefined && !/^https?:\/\/[^/@]+\/?$/.test(endpoint)) {
    problems.push(
      `AWS_ENDPOINT_URL is "${
        redact(endpoint)
      }": http://host:port or https://host is expected`,
    );
  }
  return {
    region: regionOf(read),
    endpoint,
    accessKeyId: read("AWS_ACCESS_KEY_ID"),
    secretAccessKey: read("AWS_SECRET_ACCESS_KEY"),
    sessionToken: read("AWS_SESSION_TOKEN"),
    caFile: read("AWS_CA_BUNDLE"),
  };
}
