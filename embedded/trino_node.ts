import { join } from "node:path";
import type { TrinoServer } from "./trino_server.ts";

export const COORDINATOR = "coordinator";

const HEAP = "1500m";

/** A node of a cluster, to be started. */
export interface TrinoNode {
  /** Its name; there is one coordinator. */
  node: string;
  /** The folder of the cluster's files. */
  folder: string;
  /** Where it listens, and where the coordinator does. */
  port: number;
  origin: string;
  /** The options of its Java. */
  jvm: readonly string[];
  /** The tests' S3 server, as its endpoint; zones in directories need none. */
  s3Endpoint: string | undefined;
}

/** Starts a node of a Trino cluster. */
export async function spawnTrinoNode(
  { server, javaHome }: TrinoServer,
  options: TrinoNode,
): Promise<Deno.ChildProcess> {
  const { folder, port, origin, node, jvm } = options;
  const isCoordinator = node === COORDINATOR;
  const files: Record<string, string> = {
    "node.properties": `node.environment=test
node.id=${node}
node.data-dir=${join(folder, node)}
plugin.dir=${join(server, "plugin")}`,
    "config.properties": `coordinator=${isCoordinator}
http-server.http.port=${port}
node.internal-address=127.0.0.1
discovery.uri=${origin}
query.remote-task.max-error-duration=10s
query-manager.required-workers-max-wait=10s
${isCoordinator ? "node-scheduler.include-coordinator=false" : ""}`,
    "jvm.config": [`-Xmx${HEAP}`, ...jvm].join("\n"),
    "log.properties": "io.trino=WARN",
    "catalog/hive.properties": `connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=local://${join(folder, "metastore")}
hive.non-managed-table-writes-enabled=true
${fileSystems(options)}`,
    "catalog/iceberg.properties": `connector.name=iceberg
iceberg.catalog.type=TESTING_FILE_METASTORE
hive.metastore.catalog.dir=local://${join(folder, "iceberg")}
iceberg.register-table-procedure.enabled=true
${fileSystems(options)}`,
  };
  const etc = join(folder, `${node}-etc`);
  await Deno.mkdir(join(etc, "catalog"), { recursive: true });
  for (const metastore of ["metastore", "iceberg"]) {
    await Deno.mkdir(join(folder, metastore), { recursive: true });
  }
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(etc, name), `${text}\n`);
  }
  return new Deno.Command(join(server, "bin", "launcher"), {
    args: ["run", `--etc-dir=${etc}`],
    env: {
      JAVA_HOME: javaHome,
      PATH: `${join(javaHome, "bin")}:${Deno.env.get("PATH")}`,
    },
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Where a catalog's files may be. */
function fileSystems({ s3Endpoint }: TrinoNode): string {
  const local = "fs.native-local.enabled=true\nlocal.location=/";
  if (s3Endpoint === undefined) return local;
  return `${local}
fs.native-s3.enabled=true
s3.endpoint=${s3Endpoint}
s3.region=us-east-1
s3.path-style-access=true
s3.aws-access-key=test
s3.aws-secret-key=testtest`;
}
