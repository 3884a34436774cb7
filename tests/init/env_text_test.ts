import assert from "node:assert/strict";
import { join } from "node:path";
import { envText } from "../../init/env_text.ts";
import { ConfigError } from "../../lib/errors.ts";
import { inFolder } from "../harness/in_folder.ts";

Deno.test("Deno reads any folder's path from the .env that init writes", () =>
  inFolder(async (folder) => {
    const file = join(folder, ".env");
    const program = join(folder, "print.ts");
    await Deno.writeTextFile(
      program,
      'await Deno.stdout.write(new TextEncoder().encode(Deno.env.get("SQL_DIRECTORY")));',
    );
    for (
      const path of [
        "/data/sql",
        "/data/C# and $HOME\\n/sql",
        "/data/it's $HOME #1",
        '/data/"a" ${b}`c',
        "/data/Größe",
      ]
    ) {
      await Deno.writeTextFile(file, envText(path, { role: "reader" }));
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-env", `--env-file=${file}`, program],
        clearEnv: true,
      }).output();
      assert.equal(new TextDecoder().decode(stdout), path);
    }
  }));

Deno.test("init refuses a folder whose path no .env can hold", () => {
  for (const path of ["/data/'`", "/data/a\nb"]) {
    assert.throws(
      () => envText(path, { role: "reader" }),
      (error) =>
        error instanceof ConfigError &&
        error.problems.join().includes("no .env can hold this path"),
    );
  }
});
