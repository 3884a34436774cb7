import { LOCAL_HOSTS } from "./connection_url.ts";
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

/** What runs models. */
export type EngineName = "duckdb" | "trino";

/** The names that `TRANSFORM_ENGINE` and `--engine` take. */
export const ENGINES: readonly EngineName[] = ["duckdb", "trino"];

/** Where models are run. */
export interface EngineSettings {
  transformEngine: EngineName;
  /** A batch with fewer bytes of CSV is made by DuckDB. */
  transformEngineBytesMin: number;
  trino: TrinoSettings | undefined;
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
  return {
    transformEngine: engine ?? "duckdb",
    transformEngineBytesMin: number(
      "TRANSFORM_ENGINE_BYTES_MIN",
      10_000_000_000,
      { from: 0, to: 1_000_000_000_000_000, whole: true },
    ),
    trino,
  };
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
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const password = url.password === ""
    ? undefined
    : decodeURIComponent(url.password);
  if (
    url.protocol === "http:" && password !== undefined &&
    !LOCAL_HOSTS.includes(host)
  ) {
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
