import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { describeError } from "../describe_error.ts";
import { ConfigError, EXIT, exitCode, messageOf } from "../errors.ts";
import type { Environment, Need } from "../settings/config.ts";
import { secretMask } from "../settings/secret_mask.ts";
import { sqlFolderNamer } from "../settings/sql_folder.ts";
import type { StageContext } from "../stage.ts";
import { namesInEnvFile } from "../settings/env_file.ts";

/** What a command may use of the process that it runs in. */
export interface ProcessIo {
  env: Environment;
  /** The names that have a value in `.env`. */
  names?: () => readonly string[];
  /** Gives up the permission to write files. */
  stopWriting?: () => void;
  /** Writes text to standard output or standard error. */
  write: (text: string, to: "out" | "error") => void;
  isTerminal: boolean;
  /** Calls back when the process is asked to stop; returns an undo. */
  onStop: (stop: () => void) => () => void;
}

/** The values of a command's flags. */
export type Flags = Record<string, string | boolean | undefined>;

/** A command of the command line. */
export interface Command {
  name: string;
  usage: string;
  needs: readonly Need[];
  options: ParseArgsOptionsConfig;
  /** Whether it takes arguments other than flags. */
  takesPositionals?: boolean;
  /**
   * Whether it writes no file. Its task has permission to, since Deno counts
   * the use of a Unix socket as writing; if no server has one, it gives that
   * up.
   */
  writesNothing?: boolean;
  /** Whether it doesn't need the company's folder of SQL. */
  readsNoSql?: boolean;
  /** Returns the exit code if it isn't 0. */
  run: (
    context: StageContext,
    options: {
      flags: Flags;
      positionals: readonly string[];
      write: (text: string) => void;
      json: boolean;
    },
  ) => Promise<number | void>;
}

/**
 * A process is often asked to stop twice: at Ctrl-C the terminal signals every
 * process of the group, and `deno task` forwards its own signal as well. Only a
 * signal later than this is a second request.
 */
export const SECOND_ASK_AFTER_MS = 1000;

/**
 * Runs a command and returns its exit code: the one place that turns an error
 * into a message for people or a line of JSON, and a code.
 */
export async function runCommand(
  command: Command,
  args: readonly string[],
  unmasked: ProcessIo = processIo(),
): Promise<number> {
  const mask = secretMask(unmasked.env);
  const nameFolder = sqlFolderNamer(unmasked.env);
  const io: ProcessIo = {
    ...unmasked,
    write: (text, to) => unmasked.write(mask(nameFolder(text)), to),
  };
  let json = !io.isTerminal || args.includes("--json");
  const stopping = new AbortController();
  const unlisten = io.onStop(() =>
    stopping.abort(new DOMException("asked to stop", "AbortError"))
  );
  try {
    const { flags, positionals } = parseCommandLine(command, args);
    if (flags.help === true) {
      io.write(`${command.usage}\n`, "out");
      return EXIT.ok;
    }
    json = flags.json === true || !io.isTerminal;
    // `--help` needs none of it.
    const { createContext } = await import("./command_context.ts");
    const context = await createContext(command, {
      io,
      json,
      signal: stopping.signal,
    });
    return await command.run(context, {
      flags,
      positionals,
      write: (text) => io.write(text, "out"),
      json,
    }) ?? EXIT.ok;
  } catch (error) {
    if (stopping.signal.aborted && !(error instanceof ConfigError)) {
      io.write(
        "Stopped as asked. Committed batches stay; the next run continues from there.\n",
        "error",
      );
      return EXIT.ok;
    }
    io.write(describeError(error, { command: command.name, json }), "error");
    return exitCode(error);
  } finally {
    unlisten();
  }
}

/** The real process. */
export function processIo(): ProcessIo {
  const encoder = new TextEncoder();
  const environment = (name: string) => Deno.env.get(name);
  // `.env` may have variables of other programs, which Deno shows to none.
  const permitted = (name: string) =>
    Deno.permissions.querySync({ name: "env", variable: name }).state ===
        "granted"
      ? environment(name)
      : undefined;
  return {
    env: environment,
    names: () => namesInEnvFile(permitted),
    stopWriting: () => void Deno.permissions.revokeSync({ name: "write" }),
    write: (text, to) => {
      const stream = to === "out" ? Deno.stdout : Deno.stderr;
      let bytes = encoder.encode(text);
      while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
    },
    isTerminal: Deno.stdout.isTerminal(),
    onStop: (stop) => {
      let askedMs: number | undefined;
      const listener = () => {
        const nowMs = performance.now();
        askedMs ??= nowMs;
        if (nowMs - askedMs > SECOND_ASK_AFTER_MS) Deno.exit(EXIT.failed);
        stop();
      };
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        Deno.addSignalListener(signal, listener);
      }
      // It listens until the process ends: the second signal of a Ctrl-C may
      // come after the command is done.
      return () => {};
    },
  };
}

function parseCommandLine(
  command: Command,
  args: readonly string[],
): { flags: Flags; positionals: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        ...command.options,
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
      strict: true,
      allowPositionals: command.takesPositionals === true,
    });
    return { flags: values as Flags, positionals: positionals };
  } catch (error) {
    throw new ConfigError([messageOf(error), command.usage]);
  }
}
