/**
 * Loaded into a real stage's process before its entrypoint: makes it stand
 * still at the call that the fault in this module's URL names, and say so on
 * standard error, for a real SIGKILL to end it there.
 */
import { RESOURCES } from "../../lib/stage.ts";
import { type Fault, SimulatedProcess } from "./simulated_process.ts";

/** What a line begins with that asks for the kill; where it stands follows. */
export const KILL_ME = "kill me: ";

const fault = new URL(import.meta.url).searchParams.get("fault");
if (fault !== null) {
  const process = new SimulatedProcess([JSON.parse(fault) as Fault], {
    late: () => Promise.resolve(),
    snapshot: () => Promise.resolve(),
    die: () => {
      const line = `${KILL_ME}${process.struck.join()}\n`;
      Deno.stderr.writeSync(new TextEncoder().encode(line));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  });
  Object.assign(RESOURCES, process.resources);
}
