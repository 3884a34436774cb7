import { isSentInClear } from "./connection_url.ts";
import type { SettingReader } from "./setting_reader.ts";

/** A database of the Glue Data Catalog. */
export interface GlueSettings {
  database: string;
  /** Another address than AWS's. */
  endpoint: string | undefined;
}

/** A namespace of an Iceberg REST catalogue. */
export interface RestSettings {
  /** Where its API begins, before `/v1`; it does not end with a slash. */
  url: string;
  /** The levels of the namespace, the outermost first. */
  namespace: readonly string[];
  /** Which of the server's catalogues it is, where it has several. */
  warehouse: string | undefined;
  /** How a run signs in; undefined where the server asks for nothing. */
  login: RestLogin | undefined;
}

/** A token, or what a server of OAuth 2 gives one for. */
export type RestLogin =
  | { token: string }
  | { clientId: string; clientSecret: string; tokenUrl: string; scope: string };

/** How other engines find the lake's Iceberg tables. */
export interface IcebergSettings {
  /** `zone`: by their metadata there; else by that and this catalogue. */
  icebergCatalogue: "zone" | "glue" | "rest" | undefined;
  /** Where Glue names them. */
  glue: GlueSettings | undefined;
  /** Where an Iceberg REST catalogue names them. */
  icebergRest: RestSettings | undefined;
}

const CATALOGUES = ["zone", "glue", "rest"] as const;
const NOTHING: IcebergSettings = {
  icebergCatalogue: undefined,
  glue: undefined,
  icebergRest: undefined,
};

/** Reads where Iceberg tables are published. */
export function readIceberg(reader: SettingReader): IcebergSettings {
  const { read, problems } = reader;
  const name = read("ICEBERG_CATALOGUE");
  const glue = readGlue(reader, { isUsed: name === "glue" });
  const icebergRest = readRest(reader, { isUsed: name === "rest" });
  if (name === undefined) return NOTHING;
  const icebergCatalogue = CATALOGUES.find((one) => one === name);
  if (icebergCatalogue === undefined) {
    problems.push(
      `ICEBERG_CATALOGUE is "${name}": zone, glue, rest, or nothing, is expected`,
    );
  }
  return { icebergCatalogue, glue, icebergRest };
}

function readGlue(
  { read, problems }: SettingReader,
  { isUsed }: { isUsed: boolean },
): GlueSettings | undefined {
  const database = read("ICEBERG_DATABASE");
  const endpoint = read("AWS_ENDPOINT_URL_GLUE");
  if (!isUsed) return undefined;
  const place = read("PROCESSED_URL");
  if (place !== undefined && !place.startsWith("s3://")) {
    problems.push("ICEBERG_CATALOGUE=glue needs PROCESSED_URL in S3");
  }
  if (database !== undefined && /^[a-z_][a-z0-9_]*$/.test(database)) {
    return { database, endpoint };
  }
  problems.push(
    `${given(database)}: a name of small letters, digits and _ is expected`,
  );
  return undefined;
}

function readRest(
  reader: SettingReader,
  { isUsed }: { isUsed: boolean },
): RestSettings | undefined {
  const { read, problems } = reader;
  const text = read("ICEBERG_REST_URL");
  const warehouse = read("ICEBERG_REST_WAREHOUSE");
  const namespace = read("ICEBERG_DATABASE")?.split(".") ?? [];
  const url = text?.replace(/\/+$/, "").replace(/\/v1$/, "") ?? "";
  const login = readLogin(reader, { url, isUsed });
  if (!isUsed) return undefined;
  if (!isPlace(url)) {
    problems.push(
      `ICEBERG_REST_URL is ${
        text === undefined ? "missing" : "malformed"
      }: https://host/path is expected, as far as /v1`,
    );
  } else if (login !== undefined) {
    const used = "token" in login ? [url] : [url, login.tokenUrl];
    const urls = used.flatMap((one) => URL.parse(one) ?? []);
    if (urls.some(isSentInClear)) {
      problems.push(
        "ICEBERG_REST_URL, or ICEBERG_REST_TOKEN_URL, would get a secret unencrypted: use https://",
      );
    }
  }
  if (namespace.length === 0 || namespace.includes("")) {
    problems.push(
      `${given(read("ICEBERG_DATABASE"))}: the namespace is expected`,
    );
  }
  return { url, namespace, warehouse, login };
}

function readLogin(
  { read, problems }: SettingReader,
  { url, isUsed }: { url: string; isUsed: boolean },
): RestLogin | undefined {
  const token = read("ICEBERG_REST_TOKEN");
  const credential = read("ICEBERG_REST_CREDENTIAL");
  const givenUrl = read("ICEBERG_REST_TOKEN_URL");
  const scope = read("ICEBERG_REST_SCOPE") ?? "catalog";
  if (!isUsed) return undefined;
  if (token !== undefined && /[^\x21-\x7e]/.test(token)) {
    problems.push("ICEBERG_REST_TOKEN is malformed: one word is expected");
  }
  if (credential === undefined) return token === undefined ? token : { token };
  const [, clientId = "", clientSecret = ""] = /^([^:]+):(.+)$/.exec(
    credential,
  ) ?? [];
  if (token !== undefined) {
    problems.push(
      "ICEBERG_REST_TOKEN and ICEBERG_REST_CREDENTIAL are both set: one is expected",
    );
  }
  if (clientId === "") {
    problems.push(
      "ICEBERG_REST_CREDENTIAL is malformed: client-id:client-secret is expected",
    );
  }
  if (givenUrl !== undefined && !isPlace(givenUrl)) {
    problems.push("ICEBERG_REST_TOKEN_URL is malformed: a URL is expected");
  }
  return {
    clientId,
    clientSecret,
    tokenUrl: givenUrl ?? `${url}/v1/oauth/tokens`,
    scope,
  };
}

function isPlace(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) &&
    url.username === "" && url.search === "" && url.hash === "";
}

function given(database: string | undefined): string {
  return `ICEBERG_DATABASE is ${
    database === undefined ? "missing" : `"${database}"`
  }`;
}
