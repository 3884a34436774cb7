import { unzipSync } from "fflate";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { download } from "../download.ts";
import { messageOf, StageError } from "../errors.ts";

/** A wheel that holds an extension for one platform. */
interface Wheel {
  url: string;
  sha256: string;
}

/** The wheels by DuckDB's name for the platform. */
export type ExtensionWheels = Readonly<Record<string, Wheel>>;

/** How to fetch an extension for another machine. */
export interface FetchOptions {
  /** DuckDB's name for the platform: `linux_amd64`, `osx_arm64`. */
  platform?: string;
}

/** A pinned extension. */
export interface Extension {
  name: string;
  /** DuckDB's version, as its folders are named. */
  version: string;
  wheels: ExtensionWheels;
  /** What to do if it can't be fetched. */
  hint: string;
}

/**
 * Fetches a signed extension of DuckDB from PyPI, for machines that can't reach
 * DuckDB's own store, and puts it where DuckDB looks if `extension_directory`
 * is set to the directory. Does nothing if it is there already. Returns its
 * path.
 */
export async function fetchExtension(
  directory: string,
  options: Extension & FetchOptions,
): Promise<string> {
  const { name, version, wheels } = options;
  const platform = options.platform ?? duckdbPlatform();
  const wheel = wheels[platform];
  if (wheel === undefined) {
    throw new StageError(
      `Cannot fetch DuckDB's ${name} extension: there is none for ${platform}`,
      {
        subject: name,
        hint: `Use one of these platforms: ${Object.keys(wheels).join(", ")}.`,
      },
    );
  }
  const folder = join(directory, version, platform);
  const path = join(folder, `${name}.duckdb_extension`);
  if (existsSync(path)) return path;
  await Deno.mkdir(folder, { recursive: true });
  const extension = await readExtension(wheel, options);
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

async function readExtension(
  wheel: Wheel,
  { name: extension, hint }: Extension,
): Promise<Uint8Array> {
  const fileName = `${extension}.duckdb_extension`;
  try {
    const archive = await download(wheel.url, {
      algorithm: "sha256",
      digest: wheel.sha256,
      encoding: "hex",
    });
    const [found] = Object.values(unzipSync(archive, {
      filter: ({ name }) => name.endsWith(`/${fileName}`),
    }));
    if (found === undefined) throw new Error(`it holds no ${fileName}`);
    return found;
  } catch (error) {
    throw new StageError(
      `Cannot fetch DuckDB's ${extension} extension from ${wheel.url}: ${
        messageOf(error)
      }`,
      {
        subject: extension,
        hint,
        retryable: true,
        cause: error,
      },
    );
  }
}
