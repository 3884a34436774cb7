import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../infra/main.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { FUNCTIONS } from "../../package/functions.ts";
import { copyProject } from "../harness/copy_project.ts";
import { inFolder } from "../harness/in_folder.ts";

const folder = join(platformDirectory(), "infra");

function read(file: string): Promise<string> {
  return Deno.readTextFile(join(folder, file));
}

const hasTerraform = await new Deno.Command("terraform", {
  args: ["version"],
  stdout: "null",
  stderr: "null",
}).output().then(() => true, () => false);

Deno.test({
  name: "Terraform's files are formatted",
  ignore: !hasTerraform,
  fn: async () => {
    const { code, stdout } = await new Deno.Command("terraform", {
      args: ["fmt", "-check", "-recursive", folder],
    }).output();

    assert.equal(code, 0, new TextDecoder().decode(stdout));
  },
});

Deno.test("every function that is packaged is deployed, with its layers", async () => {
  const text = await read("functions.tf");
  const [, map = ""] =
    /\n {2}all_functions = \{\n([^]*?)\n {2}\}\n/.exec(text) ??
      [];
  const deployed = [...map.matchAll(/^ {4}(\w+) = \{\n([^]*?)^ {4}\}$/gm)]
    .map(([, name, body = ""]) => [name, body.includes('"duckdb"')]);

  assert.deepEqual(
    Object.fromEntries(deployed),
    Object.fromEntries(
      Object.entries(FUNCTIONS).map(([name, fn]) => [name, fn.usesDuckDb]),
    ),
  );
});

Deno.test("the ingestion bucket and its copy can't be destroyed", async () => {
  for (const file of ["buckets.tf", "replica.tf"]) {
    const text = await read(file);
    const [, body = ""] =
      /resource "aws_s3_bucket" "(?:ingestion|replica)" \{\n([^]*?)\n\}\n/.exec(
        text,
      ) ?? [];

    assert.match(body, /prevent_destroy = true/, file);
  }
});

// EC2 refuses any other character, such as an apostrophe, and moto none:
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
Deno.test("descriptions of security groups have only characters that EC2 allows", async () => {
  const blocks: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || !name.endsWith(".tf")) continue;
    const found = (await read(name)).matchAll(
      /^resource "aws_(?:vpc_)?security_group[^]*?^}/gm,
    );
    blocks.push(...[...found].map(([block]) => block));
  }

  assert.ok(blocks.length > 5);
  for (const block of blocks) {
    const [, text = ""] = /^ {2}description += "(.*)"$/m.exec(block) ?? [];
    const filled = text.replaceAll(/\$\{[^}]*\}/g, "name");
    assert.match(filled, /^[\w. :/()#,@[\]+=&;{}!$*-]{1,255}$/, block);
  }
});

Deno.test("no value of a secret is in the configuration, and so in the state", async () => {
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || !name.endsWith(".tf")) continue;

    assert.doesNotMatch(await read(name), /aws_secretsmanager_secret_version/);
  }
});

Deno.test("infra:plan and infra:apply report missing files and options", async () => {
  assert.equal(await main(["plan"]), 2);
  assert.equal(await main(["plan", "../other"]), 2);
  assert.equal(await main(["plan", "nowhere"]), 2);
  assert.equal(await main(["apply", "nowhere"]), 2);
});

Deno.test("infra:apply refuses a package that is not the planned one", () =>
  inFolder(async (project) => {
    await copyProject(project, ["deno.json", "deno.lock", "infra", "lib"]);
    const dist = join(project, "dist");
    await Deno.mkdir(dist);
    const planned = new TextEncoder().encode("planned");
    const hash = await crypto.subtle.digest("SHA-256", planned);
    const sha256 = new Uint8Array(hash).toHex();
    const part = { file: "load.zip", sha256 };
    const text = JSON.stringify({ parts: { load: part } });
    const plan = join(project, "infra", "testing.tfplan");
    await Deno.writeTextFile(plan, "no plan of Terraform's");
    await Deno.writeTextFile(`${plan}.package`, text);
    await Deno.writeTextFile(join(dist, "package.json"), text);
    const apply = async () => {
      const { stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "-A", "infra/main.ts", "apply", "testing"],
        cwd: project,
      }).output();
      return new TextDecoder().decode(stderr);
    };
    const refusal = /load\.zip is not the one that was planned.*infra:plan/;

    await Deno.writeFile(join(dist, "load.zip"), planned);
    assert.doesNotMatch(await apply(), refusal);
    await Deno.writeTextFile(join(dist, "load.zip"), "rebuilt since");
    assert.match(await apply(), refusal);
  }));
