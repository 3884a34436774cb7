import { platformDirectory } from "../../lib/platform_directory.ts";
import { type Platform } from "./platform.ts";
import { SQL_DIRECTORY } from "./companies/sql_directory.ts";

const DEADLINE_MS = 60_000;

/**
 * A task in a process of its own, with the permissions that it names; `deno`
 * are the arguments in place of `task`, and `folder` is where it runs.
 */
export class Task implements AsyncDisposable {
  out = "";
  error = "";
  readonly #secrets: string[];
  readonly #process: Deno.ChildProcess;
  readonly #read: Promise<unknown>;

  constructor(
    args: string[],
    env: Record<string, string>,
    options: { deno?: string[]; folder?: string } = {},
  ) {
    const { deno = ["task", "--quiet"], folder = platformDirectory() } =
      options;
    this.#secrets = secretsOf(env);
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [...deno, ...args],
      cwd: folder,
      env: { NO_COLOR: "1", ...env },
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
    const read = async (
      stream: ReadableStream<Uint8Array<ArrayBuffer>>,
      to: "out" | "error",
    ) => {
      const texts = stream.pipeThrough(new TextDecoderStream());
      for await (const text of texts) this[to] += text;
    };
    this.#read = Promise.all([
      read(this.#process.stdout, "out"),
      read(this.#process.stderr, "error"),
    ]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Waits until its output says something. */
  async says(what: RegExp): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!what.test(this.out + this.error)) {
      if (performance.now() > deadline) {
        throw new Error(`it never said ${what}: ${this.out}${this.error}`);
      }
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  /** Sends a signal, as a service manager does; it may have ended already. */
  kill(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Sends SIGINT to all of the task's processes, as a terminal does. */
  pressControlC(): void {
    Deno.kill(-this.#process.pid, "SIGINT");
  }

  /** Waits for its end, and gives the exit code. */
  async ended(): Promise<number> {
    const timer = setTimeout(() => this.kill("SIGKILL"), DEADLINE_MS);
    const { code } = await this.#process.status;
    clearTimeout(timer);
    await this.#read;
    const told = this.#secrets.filter((secret) =>
      (this.out + this.error).includes(secret)
    );
    // The secret itself is for nobody's log.
    if (told.length > 0) throw new Error("the task has told a secret");
    return code;
  }

  async [Symbol.asyncDispose]() {
    this.kill("SIGTERM");
    await this.ended();
  }
}

/** The secrets that a task is given and must not print: long enough to be found. */
function secretsOf(env: Record<string, string>): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (/PASSWORD|SECRET_ACCESS_KEY|TOKEN/.test(name)) return [value];
    if (!name.endsWith("_URL") || !URL.canParse(value)) return [];
    const { password } = new URL(value);
    return [password, decodeURIComponent(password)];
  }).filter((secret) => secret.length >= 8);
}

/** The settings of a platform as a process is given them. */
export function taskEnv(
  { source, warehouse, config }: Platform,
): Record<string, string> {
  const { s3 } = config;
  return {
    SQL_DIRECTORY,
    SOURCE_URL: source.url,
    WAREHOUSE_URL: warehouse.url,
    ANALYST_URL: warehouse.url,
    DASHBOARD_LISTEN: "127.0.0.1:0",
    INGESTION_URL: config.ingestionUrl,
    PROCESSED_URL: config.processedUrl,
    TEMP_DIRECTORY: config.tempDirectory,
    ...(s3 === undefined ? {} : {
      AWS_ENDPOINT_URL: s3.endpoint ?? "",
      AWS_ACCESS_KEY_ID: s3.accessKeyId ?? "",
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey ?? "",
    }),
  };
}
