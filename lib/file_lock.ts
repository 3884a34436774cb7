/**
 * Lets go of a file's lock and closes it, when disposed of. Closing alone is
 * not enough: a child process that another thread is just starting has a copy
 * of the descriptor, and so the lock, until it runs its program.
 */
export function unlockAndClose(file: Deno.FsFile): Disposable {
  return {
    [Symbol.dispose]() {
      file.unlockSync();
      file.close();
    },
  };
}
