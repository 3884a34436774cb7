import type { ProcessIo } from "../../lib/cli/command.ts";

/** A command's process in a test: what it wrote, and a way to stop it. */
export interface TestIo extends ProcessIo {
  /** Text on standard output. */
  out: string;
  /** Text on standard error. */
  error: string;
  /** Both, in the order in which they were written. */
  said: string;
  /** Whether the command listens for a stop. */
  listening: boolean;
  stop: () => void;
}

/** A process with these variables, not on a terminal unless said so. */
export function testIo(
  env: Readonly<Record<string, string>>,
  options: { isTerminal?: boolean; onOut?: (text: string) => void } = {},
): TestIo {
  const io: TestIo = {
    out: "",
    error: "",
    said: "",
    listening: false,
    stop: () => {},
    env: (name) => env[name],
    write: (text, to) => {
      io[to] += text;
      io.said += text;
      if (to === "out") options.onOut?.(text);
    },
    isTerminal: options.isTerminal ?? false,
    onStop: (stop) => {
      io.stop = stop;
      io.listening = true;
      return () => {
        io.listening = false;
      };
    },
  };
  return io;
}
