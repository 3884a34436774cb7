import {
  type ExtensionWheels,
  fetchExtension,
  type FetchOptions,
} from "./fetch_extension.ts";

/** The DuckDB version of the pinned extension, and its folder's name. */
export const HTTPFS_VERSION = "v1.5.5";

const PACKAGES = "https://files.pythonhosted.org/packages";
const WHEEL = "duckdb_extension_httpfs-1.5.5-py3-none";
/** Those of https://pypi.org/project/duckdb-extension-httpfs/. */
const WHEELS: ExtensionWheels = {
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

/**
 * Fetches DuckDB's signed httpfs extension; see `fetchExtension`. Returns its
 * path.
 */
export async function fetchHttpfs(
  directory: string,
  options: FetchOptions = {},
): Promise<string> {
  return await fetchExtension(directory, {
    ...options,
    name: "httpfs",
    version: HTTPFS_VERSION,
    wheels: WHEELS,
    hint:
      "Check the access to the internet (HTTPS_PROXY), or use a zone in a directory",
  });
}
