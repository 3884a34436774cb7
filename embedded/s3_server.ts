import { buildApp, type BuildAppOptions } from "fauxqs";
import { StageError } from "../lib/errors.ts";
import { checkConditions, type ObjectLookup } from "./s3_conditions.ts";

const BODY_BYTES_MAX = 2 ** 30;

/** Where `startS3Server` listens and what it stores. */
export interface S3ServerOptions {
  /** Picks a free port if 0 or left out. */
  port?: number;
  /** Keeps objects in files below it; in memory until the end if left out. */
  dataDir?: string;
  /** Created if missing. */
  buckets: string[];
}

/** An S3 server in this process. It accepts any key and checks no signature. */
export interface S3Server extends AsyncDisposable {
  /** The value for `AWS_ENDPOINT_URL`; buckets are paths below it. */
  readonly endpoint: string;
  stop(): Promise<void>;
}

/**
 * Starts an S3 server on 127.0.0.1: fauxqs, with what it lacks: conditions of a
 * PUT, bodies over 11 MiB, and listening on this machine only.
 *
 * Throws a `StageError` if the port is in use.
 */
export async function startS3Server(
  { port = 0, dataDir, buckets }: S3ServerOptions,
): Promise<S3Server> {
  const stores = await makeStores(dataDir);
  const app = buildApp({ logger: false, stores });
  app.removeContentTypeParser("");
  app.addContentTypeParser(
    "*",
    { parseAs: "buffer", bodyLimit: BODY_BYTES_MAX },
    (_request: unknown, body: unknown, done: Done) => done(null, body),
  );
  app.addHook("preHandler", (request, reply, done) => {
    const refusal = checkConditions(request, stores.s3Store as ObjectLookup);
    if (refusal === undefined) return done();
    reply.status(refusal.status).header("content-type", "application/xml")
      .send(refusal.body);
  });
  for (const bucket of buckets) stores.s3Store.createBucket(bucket);
  const endpoint = await app.listen({ host: "127.0.0.1", port }).catch(
    (cause: unknown) => {
      throw new StageError(
        `Cannot start the S3 server on port ${port}: ` +
          (isAddressInUse(cause) ? "the port is in use" : String(cause)),
        {
          subject: String(port),
          hint: "Choose another --port: the S3 server takes the one after it",
          cause,
        },
      );
    },
  );
  const stop = async () => void await app.close();
  return { endpoint, stop, [Symbol.asyncDispose]: stop };
}

type Done = (error: Error | null, body: unknown) => void;
type Stores = NonNullable<BuildAppOptions["stores"]>;

/**
 * fauxqs's own start function opens the server to the network and takes no
 * hooks; the parts that it is made of are not among the package's exports.
 */
async function makeStores(dataDir: string | undefined): Promise<Stores> {
  const [{ SqsStore }, { SnsStore }, { S3Store }] = await Promise.all([
    part<{ SqsStore: new () => Stores["sqsStore"] }>("sqs/sqsStore.js"),
    part<{ SnsStore: new () => Stores["snsStore"] }>("sns/snsStore.js"),
    part<{ S3Store: new () => Stores["s3Store"] }>("s3/s3Store.js"),
  ]);
  const s3Store = new S3Store();
  if (dataDir !== undefined) {
    const { FileS3Persistence } = await part<{
      FileS3Persistence: new (folder: string) => FilePersistence;
    }>("s3/fileS3Persistence.js");
    await Deno.mkdir(dataDir, { recursive: true });
    const files = new FileS3Persistence(dataDir);
    files.loadS3(s3Store);
    s3Store.persistence = files;
  }
  return { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store };
}

type FilePersistence =
  & NonNullable<Stores["s3Store"]["persistence"]>
  & { loadS3(store: Stores["s3Store"]): void };

function part<Exports>(path: string): Promise<Exports> {
  return import(new URL(path, import.meta.resolve("fauxqs")).href);
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    error.code === "EADDRINUSE";
}
