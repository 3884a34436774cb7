import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";
import {
  type ExtensionWheels,
  fetchExtension,
} from "../../../lib/duckdb/fetch_extension.ts";
import { fetchHttpfs, HTTPFS_VERSION } from "../../../lib/duckdb/httpfs.ts";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import type { S3Settings } from "../../../lib/zone/zone.ts";

/** Rows and their columns as texts, sorted, so that any two readers' can be compared. */
export type Rows = string[];

/** A reader of Iceberg tables that nobody here wrote. */
export interface IcebergReader extends AsyncDisposable {
  /** A table's rows: now, or as of a snapshot. */
  rows(table: string, options?: ReadOptions): Promise<Rows>;
}

export interface ReadOptions {
  snapshot?: number;
  /** Only rows of batches up to this one, as a filter of the reader's. */
  batchMax?: number;
}

const PACKAGES = "https://files.pythonhosted.org/packages";
const ICEBERG: ExtensionWheels = {
  linux_amd64: {
    url:
      `${PACKAGES}/5e/4c/d82d2887aa1c45e76b84d1c5c9f5bd84c7fc6235ef3e61f582f5f81b0a44/duckdb_extension_iceberg-1.5.5-py3-none-manylinux2014_x86_64.whl`,
    sha256: "cb7d238d733dff8047771be11f75d21aa417152c992e26ed7688d0d334285bb4",
  },
  linux_arm64: {
    url:
      `${PACKAGES}/d3/b8/7409bf3780276845bc329195eaf58d633f5fc281682857d351ec629b6f64/duckdb_extension_iceberg-1.5.5-py3-none-manylinux2014_aarch64.whl`,
    sha256: "55693f9cb69641b175d17b02f3c2825971754f9c256740526b3abc2a2d8c4dd3",
  },
  osx_amd64: {
    url:
      `${PACKAGES}/b6/0b/865382b3d92c4913dd498962cfdcee31735870ecb84bce5ef452135e5d11/duckdb_extension_iceberg-1.5.5-py3-none-macosx_11_0_x86_64.whl`,
    sha256: "053347720290e2641cdbec50487e97546a32afb57424a9f6402abd5ab561c612",
  },
  osx_arm64: {
    url:
      `${PACKAGES}/d1/27/6bf2bf39537fd7f7658518003e07855cd70360cae367ca4751ec96c93c7b/duckdb_extension_iceberg-1.5.5-py3-none-macosx_11_0_arm64.whl`,
    sha256: "8d8ef361dfe75d9d158ba2639373b833e8e13e62e7fcb76be813e560b2a89938",
  },
};
const AVRO: ExtensionWheels = {
  linux_amd64: {
    url:
      `${PACKAGES}/90/f4/bd71b368d62b711430b896be748967c9bf1b14f67f4a49e4fef16d26b943/duckdb_extension_avro-1.5.5-py3-none-manylinux2014_x86_64.whl`,
    sha256: "9b7b37455a8e9ae498b0fa97404831c15c412aa5fd2c969c032e1d8231a43049",
  },
  linux_arm64: {
    url:
      `${PACKAGES}/b5/6f/7860aa6836a5dd6bde96c63c338fedef866ac9b634da161bbad4b1d4693b/duckdb_extension_avro-1.5.5-py3-none-manylinux2014_aarch64.whl`,
    sha256: "a6419f1cd35f4758835e1837ff26afbb3ff4cc1b42c860713e5d3d83db3f00d2",
  },
  osx_amd64: {
    url:
      `${PACKAGES}/ea/71/ad3ede3869c9d32ec956591438022f35bfa8059363c1222dfba00193cccd/duckdb_extension_avro-1.5.5-py3-none-macosx_11_0_x86_64.whl`,
    sha256: "e514845752cd645f7bdf16e52a3e4c5147c4ef421cc1f7907075c70646c3d520",
  },
  osx_arm64: {
    url:
      `${PACKAGES}/88/f5/aa4204278f8a4ba7835cdccbf63b350cb7a0a6ae9280ef45e3a76bbbbbd3/duckdb_extension_avro-1.5.5-py3-none-macosx_11_0_arm64.whl`,
    sha256: "78a1bfdae015b3561a9a00f2f8265bdf87602fae75058c6087b893c34fac4ac7",
  },
};

/** DuckDB with its iceberg extension, which is fetched from PyPI. */
export async function openDuckDbReader(
  s3: S3Settings | undefined,
): Promise<IcebergReader & { connection: DuckDBConnection }> {
  const directory = join(platformDirectory(), ".duckdb");
  await fetchHttpfs(directory);
  for (
    const [name, wheels] of Object.entries({ avro: AVRO, iceberg: ICEBERG })
  ) {
    await fetchExtension(directory, {
      name,
      version: HTTPFS_VERSION,
      wheels,
      hint: "Check the access to the internet (HTTPS_PROXY).",
    });
  }
  const instance = await DuckDBInstance.create(":memory:", {
    extension_directory: directory,
    autoinstall_known_extensions: "false",
  });
  const connection = await instance.connect();
  for (const name of ["avro", "httpfs", "iceberg"]) {
    await connection.run(`load ${name}`);
  }
  await connection.run("set timezone = 'UTC'");
  if (s3?.endpoint !== undefined) {
    await connection.run(`create secret (type s3, provider config,
      key_id '${s3.accessKeyId}', secret '${s3.secretAccessKey}',
      region '${s3.region}', endpoint '${new URL(s3.endpoint).host}',
      url_style 'path', use_ssl false)`);
  }
  return {
    connection,
    rows: async (table, { snapshot, batchMax } = {}) => {
      const at = snapshot === undefined
        ? ""
        : `, snapshot_from_id = ${snapshot}`;
      const where = batchMax === undefined ? "" : `where batch <= ${batchMax}`;
      return await rowsOf(
        connection,
        `select * from iceberg_scan('${table}'${at}) ${where}`,
      );
    },
    [Symbol.asyncDispose]: () => {
      connection.closeSync();
      instance.closeSync();
      return Promise.resolve();
    },
  };
}

/** A query's rows as texts: name and value of every column that isn't null. */
export async function rowsOf(
  connection: DuckDBConnection,
  sql: string,
): Promise<Rows> {
  const found = await connection.runAndReadAll(
    `select to_json(columns_of) as row from (
      select columns(*)::varchar from (${sql})) as columns_of`,
  );
  return found.getRowObjectsJson().map(({ row }) => withoutNulls(String(row)))
    .sort();
}

/**
 * pyiceberg, in the Python that `TEST_PYTHON` names, or `python3`; undefined if
 * that has none.
 */
export async function openPyiceberg(
  s3: S3Settings | undefined,
): Promise<Pick<IcebergReader, "rows"> | undefined> {
  const python = Deno.env.get("TEST_PYTHON") ?? "python3";
  const script = join(
    platformDirectory(),
    "tests/harness/readers/read_with_pyiceberg.py",
  );
  const run = async (args: string[]) =>
    await new Deno.Command(python, {
      args,
      stdout: "piped",
      stderr: "piped",
      env: { TZ: "UTC" },
    }).output().catch(() => undefined);
  const probe = await run(["-c", "import pyiceberg, pyarrow"]);
  if (probe?.success !== true) return undefined;
  return {
    rows: async (table, options = {}) => {
      const found = await run([
        script,
        JSON.stringify({ table, ...options, s3: s3 ?? null }),
      ]);
      const text = (bytes: Uint8Array | undefined) =>
        new TextDecoder().decode(bytes);
      if (found?.success !== true) throw new Error(text(found?.stderr));
      const rows: string[] = JSON.parse(text(found.stdout));
      return rows.map(withoutNulls).sort();
    },
  };
}

/** A row in the form in which two readers' rows are compared. */
export function withoutNulls(json: string): string {
  const row: Record<string, string | null> = JSON.parse(json);
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(row).filter(([, value]) => value !== null).sort(),
    ),
  );
}
