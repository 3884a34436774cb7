import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { download } from "../lib/download.ts";
import { platformDirectory } from "../lib/platform_directory.ts";

const VERSION = 476;
const MAVEN = "https://repo1.maven.org/maven2/io/trino";
const JAVA_VERSION_MIN = 24;
const JVMS = "/usr/lib/jvm";

const SERVER = {
  name: `trino-server-core/${VERSION}/trino-server-core-${VERSION}.tar.gz`,
  sha256: "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158",
};
/** The connectors: the engine's, and the one that reads Iceberg tables. */
const PLUGINS = {
  hive: {
    name: `trino-hive/${VERSION}/trino-hive-${VERSION}.zip`,
    sha256: "611bacdb07d9f3cf7b9d47f97ecc76fa2e7ff8bfe8a9728c3d06adc1bfb8662e",
  },
  iceberg: {
    name: `trino-iceberg/${VERSION}/trino-iceberg-${VERSION}.zip`,
    sha256: "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c",
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
 * from Maven Central (800 MB), and a JDK for it, in `JAVA_HOME` or among those of
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

/** The server's folder, fetched as far as it isn't there. */
async function findServer(javaHome: string): Promise<string> {
  const home = Deno.env.get("TRINO_HOME") ??
    join(platformDirectory(), ".trino");
  const server = join(home, `trino-server-core-${VERSION}`);
  await Deno.mkdir(home, { recursive: true });
  await fetchInto(server, { ...SERVER, home, unpack: ["tar", "xzf"] });
  for (const [plugin, archive] of Object.entries(PLUGINS)) {
    await fetchInto(join(server, "plugin", plugin), {
      ...archive,
      home,
      unpack: [join(javaHome, "bin", "jar"), "xf"],
    });
  }
  return server;
}

/** Makes a folder of an archive's, whole or not at all. */
async function fetchInto(
  folder: string,
  options: { name: string; sha256: string; home: string; unpack: string[] },
): Promise<void> {
  const { name, sha256, home, unpack: [command = "", ...args] } = options;
  if (existsSync(folder)) return;
  console.log(`fetching ${MAVEN}/${name}`);
  const bytes = await download(`${MAVEN}/${name}`, {
    algorithm: "sha256",
    digest: sha256,
    encoding: "hex",
  });
  const unpacked = await Deno.makeTempDir({ dir: home, prefix: "unpacked-" });
  try {
    const archive = join(unpacked, "archive");
    await Deno.writeFile(archive, bytes);
    const { success } = await new Deno.Command(command, {
      args: [...args, archive],
      cwd: unpacked,
    }).output();
    if (!success) throw new Error(`${command} could not unpack ${name}`);
    await Deno.rename(
      join(unpacked, basename(name).replace(/\.(zip|tar\.gz)$/, "")),
      folder,
    );
  } finally {
    await Deno.remove(unpacked, { recursive: true });
  }
}
