/**
 * `./totesys package`: builds into `dist/` what AWS Lambda runs: a zip of each
 * function, and the layers that they share.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatBytes } from "../lib/cli/progress.ts";
import { ConfigError, EXIT, exitCode, messageOf } from "../lib/errors.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { sha256Hex } from "../lib/zone/checksum.ts";
import type { Architecture } from "./artifacts.ts";
import {
  denoLayer,
  duckdbLayer,
  functionEntries,
  FUNCTIONS,
  type ZipEntries,
} from "./functions.ts";
import { zipEntries } from "./zip_entries.ts";

const USAGE = `./totesys package [--architecture x86_64|arm64]

Builds the functions and their layers for AWS Lambda into dist/: the same bytes
from the same sources, whenever and wherever.`;

/** The most that a function and its layers may take, unzipped. */
const UNZIPPED_BYTES_MAX = 250 * 1024 * 1024;

/** A zip in `dist/`. */
export interface PackedPart {
  file: string;
  sha256: string;
  bytes: number;
  unzippedBytes: number;
}

/** `dist/package.json`, from which Terraform knows the zips. */
export interface PackageManifest {
  architecture: Architecture;
  parts: Record<string, PackedPart>;
}

/** Builds all zips into a folder; returns the exit code. */
export async function main(
  args: readonly string[],
  dist = join(platformDirectory(), "dist"),
): Promise<number> {
  try {
    const architecture = readArchitecture(args);
    const cache = join(platformDirectory(), ".package");
    await Deno.mkdir(dist, { recursive: true });
    const parts: Record<string, PackedPart> = {};
    const pack = async (name: string, part: ZipEntries) => {
      parts[name] = await writeZip(dist, name, part);
      const { bytes, unzippedBytes } = parts[name];
      console.log(
        `${name.padEnd(10)} ${formatBytes(bytes).padStart(9)}, unzipped ${
          formatBytes(unzippedBytes).padStart(9)
        }`,
      );
    };
    await pack("deno", await denoLayer(architecture, cache));
    await pack("duckdb", await duckdbLayer(architecture, cache));
    for (const name of Object.keys(FUNCTIONS)) {
      await pack(name, await functionEntries(name));
    }
    checkSizes(parts);
    const manifest: PackageManifest = { architecture, parts };
    await Deno.writeTextFile(
      join(dist, "package.json"),
      `${JSON.stringify(manifest, undefined, 2)}\n`,
    );
    return EXIT.ok;
  } catch (error) {
    console.error(messageOf(error));
    return exitCode(error);
  }
}

function readArchitecture(args: readonly string[]): Architecture {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { architecture: { type: "string", default: "x86_64" } },
    });
    const { architecture } = values;
    if (architecture === "x86_64" || architecture === "arm64") {
      return architecture;
    }
  } catch {
    // The usage says what is expected.
  }
  throw new ConfigError([USAGE]);
}

async function writeZip(
  dist: string,
  name: string,
  part: ZipEntries,
): Promise<PackedPart> {
  const zip = await zipEntries(part);
  const file = `${name}.zip`;
  await Deno.writeFile(join(dist, file), zip);
  let unzippedBytes = 0;
  for (const { from } of part.values()) {
    unzippedBytes += typeof from === "string"
      ? (await Deno.stat(from)).size
      : from.length;
  }
  return { file, sha256: sha256Hex(zip), bytes: zip.length, unzippedBytes };
}

/** Throws if a function and its layers are larger than Lambda allows. */
function checkSizes(parts: Record<string, PackedPart>): void {
  for (const [name, { usesDuckDb }] of Object.entries(FUNCTIONS)) {
    const all = [name, "deno", ...(usesDuckDb ? ["duckdb"] : [])];
    const bytes = all.reduce(
      (sum, part) => sum + (parts[part]?.unzippedBytes ?? 0),
      0,
    );
    if (bytes <= UNZIPPED_BYTES_MAX) continue;
    throw new Error(
      `Cannot package ${name}: ${
        formatBytes(bytes)
      } unzipped with its layers, and Lambda allows ${
        formatBytes(UNZIPPED_BYTES_MAX)
      }`,
    );
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
