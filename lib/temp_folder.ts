import { join } from "node:path";
import { messageOf, StageError } from "./errors.ts";
import type { Config } from "./settings/config.ts";
import { isDiskFull } from "./zone/directory_files.ts";

/** A folder for one run alone, removed when it ends. */
export interface TempFolder extends AsyncDisposable {
  path: string;
}

const NAME = /^totesys-run-[0-9a-f]{16}$/;
const NEW_PREFIX = "totesys-new-";
const LOCK_FILE = ".lock";

/**
 * Makes a folder in `TEMP_DIRECTORY`, and removes those that killed runs have
 * left there. Throws a `StageError` if the directory can't be used.
 */
export async function openTempFolder(
  { tempDirectory }: Pick<Config, "tempDirectory">,
): Promise<TempFolder> {
  try {
    await Deno.mkdir(tempDirectory, { recursive: true });
    await removeDeadTempFolders(tempDirectory);
    return await makeLocked(tempDirectory);
  } catch (error) {
    throw tempDirectoryError(error, tempDirectory);
  }
}

/** The error for a folder of temporary files that can't be written to. */
export function tempDirectoryError(
  error: unknown,
  folder: string,
): StageError {
  return new StageError(
    `Cannot use TEMP_DIRECTORY ${folder}: ${messageOf(error)}`,
    {
      subject: folder,
      retryable: isDiskFull(error),
      hint: "Set it to a folder with free space that this user may write to",
      cause: error,
    },
  );
}

/**
 * Removes the folders of runs whose process ended without doing so: nobody
 * holds their locks.
 */
export async function removeDeadTempFolders(
  tempDirectory: string,
): Promise<void> {
  for await (const { name } of Deno.readDir(tempDirectory)) {
    if (!NAME.test(name)) continue;
    const path = join(tempDirectory, name);
    try {
      using lock = await Deno.open(join(path, LOCK_FILE), { write: true });
      if (!await lock.tryLock(true)) continue;
      await Deno.remove(path, { recursive: true });
    } catch (error) {
      // Its owner is removing it, or it belongs to another user.
      const isOthers = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.PermissionDenied;
      if (!isOthers) throw error;
    }
  }
}

/** Locks a folder before it gets its name, so that no run takes it for dead. */
async function makeLocked(tempDirectory: string): Promise<TempFolder> {
  const made = await Deno.makeTempDir({
    dir: tempDirectory,
    prefix: NEW_PREFIX,
  });
  const lock = await Deno.open(join(made, LOCK_FILE), {
    createNew: true,
    write: true,
  });
  await lock.lock(true);
  const id = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  const path = join(tempDirectory, `totesys-run-${id}`);
  await Deno.rename(made, path);
  // A second request to stop ends the process without disposing of this.
  const abandon = () => Deno.removeSync(path, { recursive: true });
  globalThis.addEventListener("unload", abandon);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      globalThis.removeEventListener("unload", abandon);
      await Deno.remove(path, { recursive: true });
      lock.close();
    },
  };
}
