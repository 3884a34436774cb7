import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { download } from "../../../lib/download.ts";
import { platformDirectory } from "../../../lib/platform_directory.ts";
import { type FoundTable, tablesByPyiceberg } from "../readers/python.ts";

/** Iceberg's own REST catalogue, and pyiceberg as its reader. */
export interface IcebergRest extends AsyncDisposable {
  url: string;
  token: string;
  /** What it answers to a request, below `/v1/`. */
  call(method: string, path: string, body?: object): Promise<unknown>;
  /** The tables, read by pyiceberg's RestCatalog. */
  tables(): Promise<Record<string, FoundTable>>;
}

export const NAMESPACE = "lake";
const MAVEN = "https://repo1.maven.org/maven2";
/** The catalogue of Iceberg's compatibility kit, what it needs, and hashes. */
const JARS: Readonly<Record<string, string>> = {
  "org/roaringbitmap/RoaringBitmap/1.3.0/RoaringBitmap-1.3.0.jar":
    "73443a71a2e2401c7d518a487983539fcaf5f9652efbd178f929e7b6d36881d0",
  "io/airlift/aircompressor/0.27/aircompressor-0.27.jar":
    "fdbef3137a28f63bb0cb93487803080ede746a4ec3d421e36c6f0c305c35e5e4",
  "org/apache/avro/avro/1.12.0/avro-1.12.0.jar":
    "1f5fbfff9b7427d6832cc3031a3c81413d3e21d9e2551847d9231c28493f9492",
  "com/github/ben-manes/caffeine/caffeine/2.9.3/caffeine-2.9.3.jar":
    "1e0a7bbef1dd791653143f3f05d0e489934bf5481e58a87c9e619cd46b68729b",
  "dev/failsafe/failsafe/3.3.2/failsafe-3.3.2.jar":
    "2c5dc879a6dac7ea3a7b29d795e27bd49b8e7908b05c2f3e56053c19d79850f5",
  "org/apache/httpcomponents/client5/httpclient5/5.5/httpclient5-5.5.jar":
    "496b4b0e8d5f3a8139a5d2638486d304758bac3a9c39d76989f663cfd9354fc9",
  "org/apache/httpcomponents/core5/httpcore5/5.3.4/httpcore5-5.3.4.jar":
    "f2b2fd7a0164e8c3120cd8437bc9fea439239e165c17262b3e907daa7e979f80",
  "org/apache/httpcomponents/core5/httpcore5-h2/5.3.4/httpcore5-h2-5.3.4.jar":
    "1fb4f34e4b612e7c127ad693335583587850b17ce9b1c366f9de1ca49fe2c781",
  "org/apache/iceberg/iceberg-api/1.11.0/iceberg-api-1.11.0.jar":
    "f00675a12ceb6d833bb9c22024823a3e7afdedf7abcefe34719f45b0d211995a",
  "org/apache/iceberg/iceberg-bundled-guava/1.11.0/iceberg-bundled-guava-1.11.0.jar":
    "396d48d93ef5735f2ddef0cf9b3d6968ebd67b64b5cfe753d41c429d3f46a2a1",
  "org/apache/iceberg/iceberg-common/1.11.0/iceberg-common-1.11.0.jar":
    "b2835d00db7c92bdfa728123ad7cdcb488e2f2805c1c51fb9ae94e8bd203bd7d",
  "org/apache/iceberg/iceberg-core/1.11.0/iceberg-core-1.11.0-tests.jar":
    "4284719a5f0eb7db01e9f784a0ed4ca8bacf7d6f9951924143afc083428d8be3",
  "org/apache/iceberg/iceberg-core/1.11.0/iceberg-core-1.11.0.jar":
    "53b9eb7a8c34fb9958ea7d9a4d19ba5bc96f592d0f05e8625b0778c70b1f0090",
  "com/fasterxml/jackson/core/jackson-annotations/2.19.2/jackson-annotations-2.19.2.jar":
    "e516743a316dcf83c572ffc9cb6e8c5e8c134880c8c5155b02f7b34e9c5dc3cf",
  "com/fasterxml/jackson/core/jackson-core/2.19.2/jackson-core-2.19.2.jar":
    "aa77eaf29293a868c47372194f7c5287d77d9370b04ea25d3fffc1e4904b5880",
  "com/fasterxml/jackson/core/jackson-databind/2.19.2/jackson-databind-2.19.2.jar":
    "0a1bd4e9b0d670e632d40ee8c625ad376233502f03c2f5889baea95d025b47a7",
  "org/slf4j/slf4j-api/2.0.17/slf4j-api-2.0.17.jar":
    "7b751d952061954d5abfed7181c1f645d336091b679891591d63329c622eb832",
};
const SERVER = "org.apache.iceberg.rest.RestCatalogServer";

/** Starts the catalogue; undefined if there is no JDK. */
export async function openIcebergRest(): Promise<IcebergRest | undefined> {
  if (!await hasJdk()) return undefined;
  const folder = await Deno.makeTempDir({ prefix: "totesys-iceberg-rest-" });
  const classes = `${await fetchJars()}/*:${folder}`;
  const source = join(
    platformDirectory(),
    "tests/harness/servers/RestCatalogServer.java",
  );
  const { success, stderr } = await new Deno.Command("javac", {
    args: ["-cp", classes, "-d", folder, source],
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const token = crypto.randomUUID();
  const server = new Deno.Command("java", {
    args: ["-cp", classes, SERVER, token],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const url = `http://127.0.0.1:${await firstLine(output)}`;
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      ...body === undefined ? {} : { body: JSON.stringify(body) },
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${token}`,
      },
    });
    const text = await response.text();
    return text === "" ? undefined : JSON.parse(text);
  };
  await call("POST", "namespaces", { namespace: [NAMESPACE], properties: {} });
  return {
    url,
    token,
    call,
    tables: () =>
      tablesByPyiceberg(NAMESPACE, { type: "rest", uri: url, token }),
    [Symbol.asyncDispose]: async () => {
      server.kill();
      await server.status;
      await output.cancel();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function hasJdk(): Promise<boolean> {
  const found = await new Deno.Command("javac", {
    args: ["-version"],
    stdout: "null",
    stderr: "null",
  }).output().catch(() => undefined);
  return found?.success === true;
}

/** The folder with the jars, fetched as far as they aren't there. */
async function fetchJars(): Promise<string> {
  const folder = join(platformDirectory(), ".iceberg-rest");
  await Deno.mkdir(folder, { recursive: true });
  for (const [path, digest] of Object.entries(JARS)) {
    const file = join(folder, basename(path));
    if (existsSync(file)) continue;
    const bytes = await download(`${MAVEN}/${path}`, {
      algorithm: "sha256",
      digest,
      encoding: "hex",
    });
    await Deno.writeFile(`${file}.part`, bytes);
    await Deno.rename(`${file}.part`, file);
  }
  return folder;
}

async function firstLine(
  output: ReadableStreamDefaultReader<string>,
): Promise<string> {
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await output.read();
    if (done) throw new Error("the catalogue ended before it listened");
    text += value;
  }
  return text.slice(0, text.indexOf("\n"));
}
