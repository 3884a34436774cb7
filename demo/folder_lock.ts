import { join } from "node:path";
import { StageError } from "../lib/errors.ts";

const LOCK_FILE = ".lock";

/**
 * Holds a demo's folder until it is disposed of or this process ends, however
 * it ends. Throws a `StageError` when another demo holds it.
 */
export async function lockFolder(directory: string): Promise<Disposable> {
  await Deno.mkdir(directory, { recursive: true });
  const file = await Deno.open(join(directory, LOCK_FILE), {
    create: true,
    write: true,
  });
  if (await file.tryLock(true)) return file;
  file.close();
  throw new StageError(
    `Cannot start the demo in "${directory}": another demo runs there`,
    {
      subject: directory,
      hint: "Stop it, or name another folder and port: --directory and --port",
    },
  );
}
