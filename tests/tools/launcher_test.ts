import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { answer } from "../../tools/help.ts";
import { Task } from "../harness/task.ts";

const LAUNCHER = join(platformDirectory(), "totesys");
const { tasks } = JSON.parse(
  await Deno.readTextFile(join(platformDirectory(), "deno.json")),
) as { tasks: Record<string, { description: string; command: string }> };

/** Runs the launcher from another folder, as somebody would by its path. */
async function launch(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(LAUNCHER, {
    args,
    cwd: "/",
    env: { PATH: `${join(Deno.execPath(), "..")}:${Deno.env.get("PATH")}` },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), error: decode(stderr) };
}

Deno.test("./totesys runs a task, and prints only its output", async () => {
  const launched = await launch("status", "--help");
  await using task = new Task(["status", "--help"], {});

  assert.equal(await task.ended(), 0);
  assert.deepEqual(launched, { code: 0, out: task.out, error: "" });
});

Deno.test("./totesys passes on a command's exit code", async () => {
  const { code, error } = await launch("rebuild", "everything");

  assert.equal(code, 2);
  assert.match(error, /rebuild/);
});

Deno.test("./totesys --help lists every command with its description", async () => {
  for (const args of [[], ["--help"], ["help"]]) {
    const { code, out } = await launch(...args);

    assert.equal(code, 0);
    for (const [name, { description }] of Object.entries(tasks)) {
      const line = out.split("\n").find((one) => one.startsWith(`  ${name} `));
      assert.equal(line?.trim().slice(name.length).trim(), description);
    }
  }
});

for (
  const { typed, said } of [
    { typed: "verfy", said: /no command "verfy": did you mean verify\?/ },
    { typed: "statsu", said: /did you mean status\?/ },
    { typed: "stat", said: /did you mean status\?/ },
    { typed: "settings", said: /no command "settings"\n/ },
    { typed: ".*", said: /no command "\.\*"\n/ },
    { typed: 'a"b', said: /no command "a\\"b"\n/ },
  ]
) {
  Deno.test(`./totesys ${typed} is refused, and exits with 2`, async () => {
    const { code, out, error } = await launch(typed);

    assert.equal(code, 2);
    assert.equal(out, "");
    assert.match(error, said);
  });
}

Deno.test("./totesys completions makes bash complete the commands", async () => {
  const { code, out } = await launch("completions", "bash");
  const { stdout } = await new Deno.Command("bash", {
    args: [
      "-c",
      `${out.trim()}; complete -p totesys; compgen -W "${names()}" veri`,
    ],
  }).output();

  assert.equal(code, 0);
  assert.match(new TextDecoder().decode(stdout), /^complete .*\nverify\n$/);
});

Deno.test("completions are written for three shells, and for no other", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, text } = answer(["completions", shell], tasks);
    assert.equal(code, 0);
    assert.ok(text.includes(names()), shell);
  }
  assert.equal(answer(["completions", "tcsh"], tasks).code, 2);
  assert.equal(answer(["completions"], tasks).code, 2);
});

function names(): string {
  return Object.keys(tasks).join(" ");
}
