import { isSentInClear } from "./connection_url.ts";
import type { SettingReader } from "./setting_reader.ts";

/** How to reach a Trino server, and where it keeps our tables' names. */
export interface TrinoSettings {
  /** Such as `https://trino.example:8443`. */
  origin: string;
  user: string;
  password: string | undefined;
  /** A catalog of the Hive connector. */
  catalog: string;
  schema: string;
}

/** How to reach Amazon Athena, and where it keeps our tables' names. */
export interface AthenaSettings {
  workgroup: string;
  /** A database of the Glue Data Catalog. */
  database: string;
  /** For the results of its statements; undefined: as the workgroup says. */
  resultsUrl: string | undefined;
  /** Another address than AWS's. */
  endpoint: string | undefined;
}

/** What runs models. */
export type EngineName = "duckdb" | "trino" | "athena";

/** The names that `TRANSFORM_ENGINE` and `--engine` take. */
export const ENGINES: readonly EngineName[] = ["duckdb", "trino", "athena"];

/** Where models are run. */
export interface EngineSettings {
  transformEngine: EngineName;
  /** A batch with fewer bytes of CSV is made by DuckDB. */
  transformEngineBytesMin: number;
  trino: TrinoSettings | undefined;
  athena: AthenaSettings | undefined;
}

const SHAPE =
  "http://user@host:8080/catalog/schema or https://user:password@host:8443/catalog/schema";

/** Reads which engine makes large batches, and how it is reached. */
export function readEngine(settings: SettingReader): EngineSettings {
  const { read, number, problems } = settings;
  const name = read("TRANSFORM_ENGINE") ?? "duckdb";
  const engine = ENGINES.find((one) => one === name);
  if (engine === undefined) {
    problems.push(
      `TRANSFORM_ENGINE is "${name}": ${ENGINES.join(" or ")} is expected`,
    );
  }
  const trino = readTrino(settings);
  if (engine === "trino" && read("TRINO_URL") === undefined) {
    problems.push(`TRINO_URL is missing: set ${SHAPE}`);
  }
  const athena = readAthena(settings, engine);
  return {
    transformEngine: engine ?? "duckdb",
    transformEngineBytesMin: number(
      "TRANSFORM_ENGINE_BYTES_MIN",
      10_000_000_000,
      { from: 0, to: 1_000_000_000_000_000, whole: true },
    ),
    trino,
    athena,
  };
}

function readAthena(
  { read, problems }: SettingReader,
  engine: EngineName | undefined,
): AthenaSettings | undefined {
  const workgroup = read("ATHENA_WORKGROUP");
  const database = read("ATHENA_DATABASE");
  const resultsUrl = read("ATHENA_RESULTS_URL");
  const isMeant = engine === "athena" || workgroup !== undefined ||
    database !== undefined;
  if (!isMeant) return undefined;
  if (workgroup === undefined) problems.push("ATHENA_WORKGROUP is missing");
  if (database === undefined || !/^[a-z_][a-z0-9_]*$/.test(database)) {
    problems.push(
      `ATHENA_DATABASE is ${
        database === undefined ? "missing" : `"${database}"`
      }: a name of small letters, digits and _ is expected`,
    );
  }
  if (resultsUrl !== undefined && !/^s3:\/\/[^/]+(\/|$)/.test(resultsUrl)) {
    problems.push(
      `ATHENA_RESULTS_URL is "${resultsUrl}": s3://bucket/prefix is expected`,
    );
  }
  const place = read("PROCESSED_URL");
  if (engine === "athena" && place !== undefined && !isInS3(place)) {
    problems.push(ATHENA_NEEDS_S3);
  }
  if (workgroup === undefined || database === undefined) return undefined;
  const endpoint = read("AWS_ENDPOINT_URL_ATHENA");
  return { workgroup, database, resultsUrl, endpoint };
}

const ATHENA_NEEDS_S3 = "Athena needs PROCESSED_URL in S3: s3://bucket/prefix";

function isInS3(url: string): boolean {
  return url.startsWith("s3://");
}

/** What an engine lacks that the command line names; undefined if nothing. */
export function engineProblem(
  engine: EngineName,
  config: EngineSettings & { processedUrl: string },
): string | undefined {
  if (engine === "trino" && config.trino === undefined) {
    return "--engine trino needs TRINO_URL";
  }
  if (engine !== "athena") return undefined;
  if (config.athena === undefined) {
    return "--engine athena needs ATHENA_WORKGROUP and ATHENA_DATABASE";
  }
  return isInS3(config.processedUrl) ? undefined : ATHENA_NEEDS_S3;
}

function readTrino(
  { read, problems }: SettingReader,
): TrinoSettings | undefined {
  const text = read("TRINO_URL");
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const [, catalog, schema] = /^\/(\w+)\/(\w+)\/?$/.exec(url?.pathname ?? "") ??
    [];
  if (
    url === null || !["http:", "https:"].includes(url.protocol) ||
    url.username === "" || catalog === undefined || schema === undefined ||
    url.search !== "" || url.hash !== ""
  ) {
    problems.push(`TRINO_URL is malformed: ${SHAPE} is expected`);
    return undefined;
  }
  const password = url.password === ""
    ? undefined
    : decodeURIComponent(url.password);
  if (password !== undefined && isSentInClear(url)) {
    problems.push(
      "TRINO_URL has a password, and would send it unencrypted: use https://",
    );
  }
  return {
    origin: url.origin,
    user: decodeURIComponent(url.username),
    password,
    catalog,
    schema,
  };
}
