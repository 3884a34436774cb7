import assert from "node:assert/strict";
import { join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { rolesOf } from "./applied.ts";
import { type Moto, valuesOf } from "./moto.ts";

const NAME = "totesys-staging";
const ACCOUNT = "123456789012";

/**
 * Takes an environment down by the commands of `docs/deploy.md`, in a copy of
 * the project that has applied it: its history is left, and nothing else.
 */
export async function tryTeardown(
  moto: Moto,
  { folder, env }: { folder: string; env: Record<string, string> },
): Promise<void> {
  const history = `${NAME}-ingestion-${ACCOUNT}`;
  const versions = () => moto.get("s3", `/${history}?versions`);
  const before = valuesOf(await versions(), "Key");
  assert.notDeepEqual(before, []);
  await removeMarkers(moto, `${NAME}-processed-${ACCOUNT}`);
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-euc", await documented("Take it down")],
    cwd: folder,
    env: { ...env, TF_CLI_ARGS_destroy: "-auto-approve" },
  }).output();
  const text = [stdout, stderr]
    .map((bytes) => new TextDecoder().decode(bytes)).join("");
  assert.ok(success, text);
  console.log(`teardown: ${/Destroy complete.*/.exec(text)?.[0]}`);

  const buckets = valuesOf(await moto.get("s3", "/"), "Name");
  assert.deepEqual(buckets.filter((name) => name.startsWith(NAME)), [history]);
  assert.deepEqual(valuesOf(await versions(), "Key"), before);
  assert.match(await moto.get("s3", `/${history}?object-lock`), /GOVERNANCE/);
  const functions = await moto.getJson("lambda", "/2015-03-31/functions/");
  assert.deepEqual(functions.Functions, []);
  assert.deepEqual(await rolesOf(moto, NAME), []);
}

/**
 * moto can't delete what has a delete marker once versions are suspended, as
 * they are before a bucket is emptied; AWS can.
 */
async function removeMarkers(moto: Moto, bucket: string): Promise<void> {
  const listed = await moto.get("s3", `/${bucket}?versions`);
  for (
    const [marker] of listed.matchAll(/<DeleteMarker>[^]*?<\/DeleteMarker>/g)
  ) {
    const [key = ""] = valuesOf(marker, "Key");
    const [version] = valuesOf(marker, "VersionId");
    await moto.remove(
      "s3",
      `/${bucket}/${encodeURI(key)}?versionId=${version}`,
    );
  }
}

/** The first commands of a section of `docs/deploy.md`. */
async function documented(section: string): Promise<string> {
  const text = await Deno.readTextFile(
    join(platformDirectory(), "docs", "deploy.md"),
  );
  const [, rest = ""] = text.split(`\n## ${section}\n`);
  const [, commands] = /```sh\n([^]*?)```/.exec(rest) ?? [];
  assert.ok(commands !== undefined, section);
  return commands;
}
