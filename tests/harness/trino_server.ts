import { existsSync } from "node:fs";
import { join } from "node:path";
import { download } from "../../lib/download.ts";
import { projectDirectory } from "../../lib/project_directory.ts";

const VERSION = 476;
const MAVEN = "https://repo1.maven.org/maven2/io/trino";
const JAVA_VERSION_MIN = 24;
const JVMS = "/usr/lib/jvm";

/** The server, and the only connector that the engine uses. */
const ARCHIVES = {
  server: {
    name: `trino-server-core/${VERSION}/trino-server-core-${VERSION}.tar.gz`,
    sha256: "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158",
  },
  hive: {
    name: `trino-hive/${VERSION}/trino-hive-${VERSION}.zip`,
    sha256: "611bacdb07d9f3cf7b9d47f97ecc76fa2e7ff8bfe8a9728c3d06adc1bfb8662e",
  },
};

/** A Trino server that can be started. */
export interface TrinoServer {
  /** The folder that it was unpacked into. */
  server: string;
  javaHome: string;
}

/**
 * Finds Trino's server, in `.trino/` or where `TRINO_HOME` says, or fetches it
 * from Maven Central (450 MB), and a JDK for it, in `JAVA_HOME` or among those of
 * the system.
 */
export async function findTrino(): Promise<TrinoServer> {
  const javaHome = await findJava();
  return { server: await findServer(javaHome), javaHome };
}

/** The home of a JDK that runs Trino. */
async function findJava(): Promise<string> {
  const homes = [Deno.env.get("JAVA_HOME") ?? ""];
  if (existsSync(JVMS)) {
    for (const { name } of Deno.readDirSync(JVMS)) homes.push(join(JVMS, name));
  }
  // A JDK has `jar`, which unpacks the connector.
  for (const home of homes) {
    if (home === "" || !existsSync(join(home, "bin", "jar"))) continue;
    const { stderr } = await new Deno.Command(join(home, "bin", "java"), {
      args: ["-version"],
    }).output();
    const text = new TextDecoder().decode(stderr);
    const [, major] = /version "(\d+)/.exec(text) ?? [];
    if (Number(major) >= JAVA_VERSION_MIN) return home;
  }
  throw new Error(
    `Trino ${VERSION} needs a JDK ${JAVA_VERSION_MIN} or later: set JAVA_HOME`,
  );
}

/** The server's folder, fetched if it isn't there. */
async function findServer(javaHome: string): Promise<string> {
  const home = Deno.env.get("TRINO_HOME") ?? join(projectDirectory(), ".trino");
  const server = join(home, `trino-server-core-${VERSION}`);
  if (existsSync(join(server, "plugin", "hive"))) return server;
  await Deno.remove(server, { recursive: true }).catch(() => {});
  await Deno.mkdir(home, { recursive: true });
  const tar = await fetchInto(home, ARCHIVES.server);
  await run("tar", ["xzf", tar], home);
  await Deno.remove(tar);
  const zip = await fetchInto(home, ARCHIVES.hive);
  await run(join(javaHome, "bin", "jar"), ["xf", zip], home);
  await Deno.remove(zip);
  await Deno.rename(
    join(home, `trino-hive-${VERSION}`),
    join(server, "plugin", "hive"),
  );
  return server;
}

async function fetchInto(
  folder: string,
  { name, sha256 }: { name: string; sha256: string },
): Promise<string> {
  console.log(`fetching ${MAVEN}/${name}`);
  const bytes = await download(`${MAVEN}/${name}`, {
    algorithm: "sha256",
    digest: sha256,
    encoding: "hex",
  });
  const path = join(folder, name.split("/").at(-1) ?? "");
  await Deno.writeFile(path, bytes);
  return path;
}

async function run(command: string, args: string[], cwd: string) {
  const { success } = await new Deno.Command(command, { args, cwd }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
}
