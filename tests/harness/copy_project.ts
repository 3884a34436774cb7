import { dirname, join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";

/** Copies these files and folders of the project, to run it with changes. */
export async function copyProject(
  folder: string,
  names: readonly string[],
): Promise<void> {
  const project = platformDirectory();
  for (const name of names) {
    await copyTree(join(project, name), join(folder, name));
  }
  await Deno.symlink(
    join(project, "node_modules"),
    join(folder, "node_modules"),
  );
}

/** Copies a file, or a folder with all that is in it. */
export async function copyTree(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(dirname(to), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  for await (const { name } of Deno.readDir(from)) {
    await copyTree(join(from, name), join(to, name));
  }
}
