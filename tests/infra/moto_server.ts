import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { CertificateAuthority } from "../harness/servers/certificates.ts";
import { freePort } from "../../embedded/free_port.ts";
import { Moto } from "./moto.ts";

const MOTO = "moto[server]==5.2.5";
const AWS_CLI = "awscli==1.46.3";
const START_TRIES_MAX = 300;
const START_WAIT_MS = 100;

const folder = join(platformDirectory(), ".tools", "moto");
/** The Python that moto is installed for. */
export const python = join(folder, "bin", "python");

/** A running moto, which speaks TLS. */
export interface MotoServer extends AsyncDisposable {
  readonly moto: Moto;
  /** The file of the authority that signed its certificate. */
  readonly authority: string;
  /** Where the AWS CLI is. */
  readonly programs: string;
}

/**
 * Why moto can't run here; undefined if it can. It is installed if missing, and
 * with it the AWS CLI if that is needed.
 */
export async function missingForMoto(
  { awsCli }: { awsCli: boolean },
): Promise<string | undefined> {
  if (!await succeeds("openssl", ["version"])) return "there is no openssl";
  const packages = [
    ...existsSync(join(dirname(python), "moto_server")) ? [] : [MOTO],
    ...!awsCli || existsSync(join(dirname(python), "aws")) ? [] : [AWS_CLI],
  ];
  if (packages.length === 0) return undefined;
  if (!await succeeds("python3", ["--version"])) return "there is no python3";
  console.log(`pip install ${packages.join(" ")}`);
  if (
    (existsSync(python) || await succeeds("python3", ["-m", "venv", folder])) &&
    await succeeds(python, ["-m", "pip", "install", "-q", ...packages])
  ) return undefined;
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  return `pip can't install ${packages.join(" ")}`;
}

/** Whether a program is there and succeeds. */
export async function succeeds(
  program: string,
  args: string[],
): Promise<boolean> {
  return await new Deno.Command(program, {
    args,
    stdout: "null",
    stderr: "null",
  })
    .output().then(({ success }) => success, () => false);
}

/** Starts moto, with its files in this folder. */
export async function startMoto(
  work: string,
  { region }: { region: string },
): Promise<MotoServer> {
  const authority = await CertificateAuthority.create(join(work, "authority"));
  const { cert, key } = await authority.issue({ names: "IP:127.0.0.1" });
  await Deno.writeTextFile(join(work, "cert.pem"), cert);
  await Deno.writeTextFile(join(work, "key.pem"), key);
  const port = freePort();
  const server = new Deno.Command(python, {
    args: [
      ...["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
      ...["-c", join(work, "cert.pem"), "-k", join(work, "key.pem")],
    ],
    // GitHub's roles have policies of AWS's own.
    env: { MOTO_IAM_LOAD_MANAGED_POLICIES: "true" },
    stdout: "null",
    stderr: "null",
  }).spawn();
  const stop = async () => {
    server.kill("SIGTERM");
    await server.status;
  };
  const moto = new Moto({
    port,
    region,
    ca: await Deno.readTextFile(authority.file),
  });
  try {
    await untilReady(moto);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    moto,
    authority: authority.file,
    programs: dirname(python),
    [Symbol.asyncDispose]: stop,
  };
}

async function untilReady(moto: Moto): Promise<void> {
  for (let tries = 0; tries < START_TRIES_MAX; tries++) {
    if (await moto.isReady()) return;
    await new Promise((done) => setTimeout(done, START_WAIT_MS));
  }
  throw new Error("moto does not start");
}
