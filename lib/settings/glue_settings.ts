import type { SettingReader } from "./setting_reader.ts";

/** A database of the Glue Data Catalog. */
export interface GlueSettings {
  database: string;
  /** Another address than AWS's. */
  endpoint: string | undefined;
}

/** How other engines find the lake's Iceberg tables. */
export interface IcebergSettings {
  /** `zone`: by their metadata there; `glue`: by that and Glue. */
  icebergCatalogue: "zone" | "glue" | undefined;
  /** Where Glue names them. */
  glue: GlueSettings | undefined;
}

/** Reads where Iceberg tables are published. */
export function readIceberg(
  { read, problems }: SettingReader,
): IcebergSettings {
  const name = read("ICEBERG_CATALOGUE");
  const database = read("ICEBERG_DATABASE");
  const endpoint = read("AWS_ENDPOINT_URL_GLUE");
  if (name !== undefined && name !== "zone" && name !== "glue") {
    problems.push(
      `ICEBERG_CATALOGUE is "${name}": zone, glue, or nothing, is expected`,
    );
    return { icebergCatalogue: undefined, glue: undefined };
  }
  if (name !== "glue") return { icebergCatalogue: name, glue: undefined };
  const place = read("PROCESSED_URL");
  if (place !== undefined && !place.startsWith("s3://")) {
    problems.push("ICEBERG_CATALOGUE=glue needs PROCESSED_URL in S3");
  }
  if (database === undefined || !/^[a-z_][a-z0-9_]*$/.test(database)) {
    problems.push(
      `ICEBERG_DATABASE is ${
        database === undefined ? "missing" : `"${database}"`
      }: a name of small letters, digits and _ is expected`,
    );
    return { icebergCatalogue: name, glue: undefined };
  }
  return { icebergCatalogue: name, glue: { database, endpoint } };
}
