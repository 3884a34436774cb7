import { unzipSync } from "fflate";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { download } from "../download.ts";
import { messageOf, StageError } from "../errors.ts";

/** The DuckDB version of the pinned extension, and its folder's name. */
export const HTTPFS_VERSION = "v1.5.5";

const FILE_NAME = "httpfs.duckdb_extension";

/** One of the wheels of https://pypi.org/project/duckdb-extension-httpfs/. */
interface Wheel {
  url: string;
  sha256: string;
}

const PACKAGES = "https://files.pythonhosted.org/packages";
const WHEEL = "duckdb_extension_httpfs-1.5.5-py3-none";
const WHEELS: Record<string, Wheel> = {
  linux_amd64: {
    url:
      `${PACKAGES}/02/14/921faf933bb5cae7fb477c69f684fbea26bb4d76ff937d19d486af3a54cb/${WHEEL}-manylinux2014_x86_64.whl`,
    sha256: "84913dbe172ccb54368de2c4a020c38ca8b0e76f99df548f7fac37934cc7826f",
  },
  linux_arm64: {
    url:
      `${PACKAGES}/ac/8f/6461e013a436f16f56ebc8909666c1c46538d86d0e2028359310761e6125/${WHEEL}-manylinux2014_aarch64.whl`,
    sha256: "567d17e398fc29f7ea4bc42ea277ea19643bd1ad1815f676cb6dd994b50399bb",
  },
  osx_amd64: {
    url:
      `${PACKAGES}/43/f6/e693b9b8a3e1927f210ddefd6653bed07f3c959721679715a79a22971d44/${WHEEL}-macosx_11_0_x86_64.whl`,
    sha256: "5dc6e48e7a6d4c775d88fcd9b6529b385559600c0cd17a2600addfdd34ae3060",
  },
  osx_arm64: {
    url:
      `${PACKAGES}/a4/18/b041aea67621e41c4a6f9cc81081572377e94ebe29bf9f65d21ce84bdf24/${WHEEL}-macosx_11_0_arm64.whl`,
    sha256: "a6d9b245ac83834543354e826020b35b8dba16291bb876b2b00bd49f2c6aeb9d",
  },
};

/** How to fetch the extension for another machine. */
export interface HttpfsOptions {
  /** DuckDB's name for the platform: `linux_amd64`, `osx_arm64`. */
  platform?: string;
}

/**
 * Fetches DuckDB's signed httpfs extension from PyPI, for machines that can't
 * reach DuckDB's own store, and puts it where DuckDB looks if
 * `extension_directory` is set to the directory. Does nothing if it is there
 * already. Returns its path.
 */
export async function fetchHttpfs(
  directory: string,
  options: HttpfsOptions = {},
): Promise<string> {
  const platform = options.platform ?? duckdbPlatform();
  const wheel = WHEELS[platform];
  if (wheel === undefined) {
    throw new StageError(
      `Cannot fetch DuckDB's httpfs extension: there is none for ${platform}`,
      {
        subject: "httpfs",
        hint: `Use one of these platforms: ${Object.keys(WHEELS).join(", ")}.`,
      },
    );
  }
  const folder = join(directory, HTTPFS_VERSION, platform);
  const path = join(folder, FILE_NAME);
  if (existsSync(path)) return path;
  await Deno.mkdir(folder, { recursive: true });
  const extension = await readExtension(wheel);
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeFile(temporary, extension);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  return path;
}

/** DuckDB's name for this machine's platform. */
function duckdbPlatform(): string {
  const os = Deno.build.os === "darwin" ? "osx" : Deno.build.os;
  return `${os}_${Deno.build.arch === "aarch64" ? "arm64" : "amd64"}`;
}

async function readExtension(wheel: Wheel): Promise<Uint8Array> {
  try {
    const archive = await download(wheel.url, {
      algorithm: "sha256",
      digest: wheel.sha256,
      encoding: "hex",
    });
    const [extension] = Object.values(unzipSync(archive, {
      filter: ({ name }) => name.endsWith(`/${FILE_NAME}`),
    }));
    if (extension === undefined) throw new Error(`it holds no ${FILE_NAME}`);
    return extension;
  } catch (error) {
    throw new StageError(
      `Cannot fetch DuckDB's httpfs extension from ${wheel.url}: ${
        messageOf(error)
      }`,
      {
        subject: "httpfs",
        hint:
          "Check the access to the internet (HTTPS_PROXY), or use a zone in a directory.",
        retryable: true,
        cause: error,
      },
    );
  }
}
