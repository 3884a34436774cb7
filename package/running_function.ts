import { join } from "node:path";
import { FUNCTIONS } from "./functions.ts";
import { main, type PackageManifest } from "./main.ts";
import {
  type Answer,
  type CallOptions,
  TestRuntimeApi,
} from "./runtime_api.ts";
import { unzip } from "./unzip.ts";

const NOBODY = "65534";
const DROP = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`]
  .concat("--clear-groups");
/** Of the kernel's clock for processes. */
const MS_PER_TICK = 10;
const ENDED_TRIES_MAX = 400;
const ENDED_WAIT_MS = 25;

/** What `./totesys package` wrote, unzipped as Lambda does. */
export class LaidOutPackage implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    /** `package.json`, beside which the zips lie. */
    readonly manifest: PackageManifest,
  ) {}

  static async make(): Promise<LaidOutPackage> {
    const folder = await Deno.makeTempDir({ prefix: "totesys-package-" });
    await Deno.chmod(folder, 0o755);
    const architecture = Deno.build.arch === "aarch64" ? "arm64" : "x86_64";
    const dist = join(folder, "dist");
    const code = await main(["--architecture", architecture], dist);
    if (code !== 0) throw new Error("the package could not be made");
    const manifest: PackageManifest = JSON.parse(
      await Deno.readTextFile(join(dist, "package.json")),
    );
    const places: Record<string, string[]> = {
      deno: ["opt", "opt_duckdb"],
      duckdb: ["opt_duckdb"],
    };
    for (const [name, { file }] of Object.entries(manifest.parts)) {
      const zip = await Deno.readFile(join(dist, file));
      for (const place of places[name] ?? [name]) {
        await unzip(zip, join(folder, place));
      }
    }
    return new LaidOutPackage(folder, manifest);
  }

  /** One of the zips. */
  readZip(name: string): Promise<Uint8Array> {
    return Deno.readFile(
      join(this.folder, "dist", this.manifest.parts[name]?.file ?? ""),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A function in a process, as an execution environment of Lambda holds it. */
export class RunningFunction implements AsyncDisposable {
  /** Lines of its log so far. */
  readonly lines: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #read: Promise<void>;

  private constructor(
    private readonly api: TestRuntimeApi,
    process: Deno.ChildProcess,
  ) {
    this.#process = process;
    this.#read = this.#follow();
  }

  /**
   * Starts the package's `bootstrap` as an unprivileged user; with
   * TEST_LAMBDA_IMAGE in a container of that image, on Linux.
   */
  static async start(
    laidOut: LaidOutPackage,
    options: {
      name: string;
      /** Its `/tmp`, which it shares with one that ended before it. */
      temp: string;
      env: Record<string, string>;
      memoryMb?: number;
    },
  ): Promise<RunningFunction> {
    const { name, temp, env, memoryMb = 1024 } = options;
    const api = new TestRuntimeApi();
    const taskRoot = join(laidOut.folder, name);
    const usesDuckDb = FUNCTIONS[name]?.usesDuckDb === true;
    const layers = join(laidOut.folder, usesDuckDb ? "opt_duckdb" : "opt");
    await Deno.mkdir(temp, { recursive: true });
    await Deno.chmod(temp, 0o777);
    const variables = {
      PATH: `/usr/local/bin:/usr/bin:/bin:${layers}/bin`,
      LAMBDA_TASK_ROOT: taskRoot,
      _HANDLER: name,
      AWS_LAMBDA_RUNTIME_API: api.address,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "testtest",
      TEMP_DIRECTORY: temp,
      ...env,
    };
    const image = Deno.env.get("TEST_LAMBDA_IMAGE");
    const bootstrap = join(taskRoot, "bootstrap");
    const [program = "", ...args] = image === undefined
      ? [...(Deno.uid() === 0 ? DROP : []), bootstrap]
      : inImage(image, {
        bootstrap,
        folders: [`${laidOut.folder}:${laidOut.folder}:ro`, `${temp}:${temp}`],
        variables: Object.keys(variables),
      });
    const process = new Deno.Command(program, {
      args,
      cwd: taskRoot,
      clearEnv: true,
      env: { DOCKER_CONFIG: temp, ...variables },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new RunningFunction(api, process);
  }

  /** Calls it, and gives its answer. */
  call(options: CallOptions = {}) {
    return Promise.race<Answer>([this.api.call(options), this.#ended()]);
  }

  /** What it says when it can't begin. */
  initError(): Promise<Answer> {
    return this.api.initError;
  }

  /** The most memory that the process has had, in kB. */
  async peakKb(): Promise<number> {
    // Deno itself reads there only with all permissions.
    const { stdout } = await new Deno.Command("cat", {
      args: [`/proc/${this.#process.pid}/status`],
    }).output();
    const status = new TextDecoder().decode(stdout);
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
  }

  /** The processors' time that it has taken, in milliseconds; on Linux. */
  async cpuMs(): Promise<number> {
    const { stdout } = await new Deno.Command("cat", {
      args: [`/proc/${this.#process.pid}/stat`],
    }).output();
    // The name of the program, in brackets, may have spaces.
    const [, ...fields] = new TextDecoder().decode(stdout).split(") ");
    const [user = 0, system = 0] = fields.join("").split(" ").slice(11, 13)
      .map(Number);
    return (user + system) * MS_PER_TICK;
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#process.kill(signal);
  }

  async status(): Promise<Deno.CommandStatus> {
    const status = await this.#process.status;
    await this.#read;
    return status;
  }

  /** Events of its log. */
  get events(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line));
  }

  /** Waits until it has logged something. */
  async logged(what: RegExp): Promise<void> {
    for (let attempt = 1; attempt <= ENDED_TRIES_MAX; attempt++) {
      if (this.lines.some((line) => what.test(line))) return;
      await new Promise((wake) => setTimeout(wake, ENDED_WAIT_MS));
    }
    throw new Error(`it logged no ${what}: ${this.lines.join("\n")}`);
  }

  async #ended(): Promise<never> {
    const { code } = await this.status();
    throw new Error(`it ended with ${code}: ${this.lines.join("\n")}`);
  }

  async #follow(): Promise<void> {
    const read = async (stream: ReadableStream<Uint8Array>) => {
      let rest = "";
      const texts = stream.pipeThrough(new TextDecoderStream());
      for await (const text of texts) {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        this.lines.push(...lines);
      }
      if (rest !== "") this.lines.push(rest);
    };
    await Promise.all([
      read(this.#process.stdout),
      read(this.#process.stderr),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.status();
    await this.api[Symbol.asyncDispose]();
  }
}

/**
 * A command in a container, where it sees the image and these folders, and may
 * write to the latter only. Variables have the values that Docker's client has.
 */
function inImage(
  image: string,
  options: { bootstrap: string; folders: string[]; variables: string[] },
): string[] {
  return [
    ...["docker", "run", "--rm", "--init", "--pull=never", "--network=host"],
    // Who runs the test, if not root, removes what it leaves.
    ...[
      "--read-only",
      `--user=${Deno.uid() || NOBODY}:${Deno.gid() || NOBODY}`,
    ],
    ...options.folders.map((folder) => `--volume=${folder}`),
    ...options.variables.map((name) => `--env=${name}`),
    ...[`--entrypoint=${options.bootstrap}`, image],
  ];
}
