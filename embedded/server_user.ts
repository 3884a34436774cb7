import { dirname } from "node:path";
import { StageError } from "../lib/errors.ts";

/** In order of preference; every system has the last. */
const UNPRIVILEGED_USERS = ["postgres", "nobody"];

/** The user that a server runs as. */
export interface ServerUser {
  /** Makes the user the owner of a file or a folder. */
  own(path: string): Promise<void>;
  /** Makes a command that runs as the user. */
  command(words: string[], options: Deno.CommandOptions): Deno.Command;
}

/**
 * Finds a user that a PostgreSQL server can run as: the one that runs this
 * process or, since PostgreSQL refuses to run as root, `postgres` or `nobody`.
 *
 * If that user may not enter the folders (a clone below /root), on Linux the
 * server keeps root's right to do so (CAP_DAC_OVERRIDE) and nothing else.
 */
export async function findServerUser(
  { dataDir, program }: { dataDir: string; program: string },
): Promise<ServerUser> {
  if (Deno.uid() !== 0) return ownUser();
  const { uid, gid } = await unprivilegedUser();
  const parent = dirname(dataDir);
  await Deno.mkdir(parent, { recursive: true });
  const enters = ["sh", "-c", 'test -x "$0" && test -x "$1"', program, parent];
  const direct = switchedUser({ uid, gid });
  if (await succeeds(direct, enters)) return direct;
  const passing = switchedUser({ uid, gid, words: keepPassage({ uid, gid }) });
  if (await succeeds(passing, enters)) return passing;
  throw new StageError(
    `Cannot run PostgreSQL on "${dataDir}": root may not run it, and user ` +
      `${uid} may not enter "${parent}" or "${dirname(program)}"`,
    {
      subject: dataDir,
      hint: "Move both to folders that everyone may enter, or run this as " +
        "another user.",
    },
  );
}

function ownUser(): ServerUser {
  return {
    own: () => Promise.resolve(),
    command: ([program = "", ...args], options) =>
      new Deno.Command(program, { ...options, args }),
  };
}

function switchedUser(
  { uid, gid, words }: { uid: number; gid: number; words?: string[] },
): ServerUser {
  return {
    own: (path) => Deno.chown(path, uid, gid),
    command: (command, options) => {
      const [program = "", ...args] = [...words ?? [], ...command];
      const identity = words === undefined ? { uid, gid } : {};
      return new Deno.Command(program, { ...options, ...identity, args });
    },
  };
}

function keepPassage({ uid, gid }: { uid: number; gid: number }): string[] {
  return [
    "setpriv",
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--bounding-set=-all,+dac_override",
    "--no-new-privs",
    "--",
  ];
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  for (const name of UNPRIVILEGED_USERS) {
    const uid = await idOf("-u", name);
    const gid = await idOf("-g", name);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new StageError(
    "Cannot run PostgreSQL as root: there is no user " +
      UNPRIVILEGED_USERS.map((name) => `"${name}"`).join(" or "),
    { subject: "root", hint: "Create one, or run this as another user." },
  );
}

async function idOf(flag: string, name: string): Promise<number | undefined> {
  const { code, stdout } = await new Deno.Command("id", {
    args: [flag, name],
    stderr: "null",
  }).output();
  return code === 0 ? Number(new TextDecoder().decode(stdout)) : undefined;
}

async function succeeds(user: ServerUser, words: string[]): Promise<boolean> {
  try {
    const { code } = await user
      .command(words, { cwd: "/", stdout: "null", stderr: "null" }).output();
    return code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
