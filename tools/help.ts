/**
 * The help of the launcher `./totesys`: its commands, which are the tasks of
 * deno.json, the command most likely meant, and completions for a shell.
 */
import { nearestName } from "../lib/nearest_name.ts";

interface Task {
  description: string;
  command: string;
}

/** The text to print, and the exit code. */
interface Answer {
  text: string;
  code: number;
}

/** Tasks that run the platform have this set of permissions. */
const RUNS_PLATFORM = "-P=platform";
const DEMO = "demo";

/** Statements that make a shell complete the commands. */
const COMPLETIONS: Record<string, (names: string) => string> = {
  bash: (names) => `complete -W "${names}" totesys ./totesys`,
  zsh: (names) =>
    `autoload -U +X bashcompinit && bashcompinit; complete -W "${names}" totesys ./totesys`,
  fish: (names) => `complete -c totesys -f -a "${names}"`,
};

/** Answers `--help`, `completions SHELL`, or an unknown command. */
export function answer(
  args: readonly string[],
  tasks: Readonly<Record<string, Task>>,
): Answer {
  const [command = "--help", shell = ""] = args;
  const names = Object.keys(tasks);
  if (["--help", "-h", "help"].includes(command)) {
    return { text: usage(tasks), code: 0 };
  }
  if (command === "completions") {
    const write = COMPLETIONS[shell];
    return write === undefined
      ? {
        text: `./totesys completions ${Object.keys(COMPLETIONS).join("|")}`,
        code: 2,
      }
      : { text: write(names.join(" ")), code: 0 };
  }
  const nearest = nearestName(command, names) ??
    names.find((name) => name.startsWith(command));
  return {
    text: `There is no command ${JSON.stringify(command)}${
      nearest === undefined ? "" : `: did you mean ${nearest}?`
    }\n-> ./totesys --help lists the commands`,
    code: 2,
  };
}

function usage(tasks: Readonly<Record<string, Task>>): string {
  const entries = Object.entries(tasks);
  const isForUsers = ([name, { command }]: [string, Task]) =>
    name === DEMO || command.includes(RUNS_PLATFORM);
  const width = Math.max(...entries.map(([name]) => name.length));
  const list = (some: [string, Task][]) =>
    some.map(([name, { description }]) =>
      `  ${name.padEnd(width)}  ${description}`
    ).join("\n");
  return `Usage: ./totesys COMMAND [OPTIONS]    (also: deno task COMMAND)

Run the platform:
${list(entries.filter(isForUsers))}

Develop it:
${list(entries.filter((entry) => !isForUsers(entry)))}

Shell completion:
  ./totesys completions bash|zsh|fish

./totesys COMMAND --help shows a command's options.`;
}

if (import.meta.main) {
  const config = new URL("../deno.json", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(config)) as {
    tasks: Record<string, Task>;
  };
  const { text, code } = answer(Deno.args, tasks);
  (code === 0 ? console.log : console.error)(text);
  Deno.exit(code);
}
