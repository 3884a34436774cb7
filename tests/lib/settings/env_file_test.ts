import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../../lib/errors.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { namesInEnvFile } from "../../../lib/settings/env_file.ts";

/** The names in such a file, or the problem; the task read these values. */
async function namesIn(
  content: string | Uint8Array,
  read: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const bytes = typeof content === "string"
    ? new TextEncoder().encode(content)
    : content;
  let names: string[] = [];
  await inFolder(async (folder) => {
    const path = join(folder, ".env");
    await Deno.writeFile(path, bytes);
    try {
      names = namesInEnvFile((name) => read[name], path);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      names = [...error.problems];
    }
  });
  return names;
}

Deno.test("namesInEnvFile() finds the names, and none without a file", async () => {
  assert.deepEqual(
    await namesIn("# A=1\r\nexport SOURCE_URL=a\r\n  TEMP = b \r\n"),
    ["SOURCE_URL", "TEMP"],
  );
  assert.deepEqual(namesInEnvFile(() => undefined, "/nowhere/.env"), []);
});

Deno.test("namesInEnvFile() refuses an .env in an encoding that Deno doesn't read", async () => {
  const marked = /^\.env is UTF-8 with a byte order mark, .* first line/;
  const [problem = ""] = await namesIn("\ufeffSOURCE_URL=a\n");
  assert.match(problem, marked);
  // Deno reads all that follows a comment.
  assert.deepEqual(await namesIn("\ufeff# Mine\nSOURCE_URL=a\n"), [
    "SOURCE_URL",
  ]);

  const utf16 = new Uint8Array(new Uint16Array([0xfeff, 0x41, 0x3d]).buffer);
  assert.match((await namesIn(utf16))[0] ?? "", /^\.env is UTF-16/);
  const latin1 = new Uint8Array([0x41, 0x3d, 0xe9]);
  assert.match((await namesIn(latin1))[0] ?? "", /^\.env is not UTF-8/);
});

Deno.test("namesInEnvFile() names a value in which $ would be expanded", async () => {
  const problem =
    "SOURCE_URL in .env refers to $word, which has no value: put the whole value into single quotes if the $ belongs to it";
  for (const value of ["pg://u:p$word@h", '"pg://u:p$word@h"']) {
    assert.deepEqual(
      await namesIn(`SOURCE_URL=${value}\n`, { SOURCE_URL: "pg://u:p@h" }),
      [problem],
    );
  }
  for (
    const [written, read] of [
      ["${HOME}/zone", "/home/me/zone"],
      ["'pg://u:p$word@h'", "pg://u:p$word@h"],
      ["pg://u:p\\$word@h", "pg://u:p$word@h"],
      ["pg://u:p$word@h", "pg://of@the/environment"],
    ]
  ) {
    assert.deepEqual(
      await namesIn(`SOURCE_URL=${written}\n`, { SOURCE_URL: read ?? "" }),
      ["SOURCE_URL"],
    );
  }
});

Deno.test("namesInEnvFile() names a value that ends before a #", async () => {
  assert.deepEqual(
    await namesIn("SOURCE_URL=pg://u:p#w@h\n", { SOURCE_URL: "pg://u:p" }),
    [
      "SOURCE_URL in .env ends before a #, since that begins a comment: put the whole value into single quotes if the # belongs to it, and write %23 in a URL",
    ],
  );
  for (
    const [written, read] of [
      ["'/x/a#b'", "/x/a#b"],
      ["/x/a #b", "/x/a"],
      ["/x/a#b", "/of/the/environment"],
    ]
  ) {
    assert.deepEqual(
      await namesIn(`SOURCE_URL=${written}\n`, { SOURCE_URL: read ?? "" }),
      ["SOURCE_URL"],
    );
  }
});
