import { type Zippable, zipSync } from "fflate";
import type { Part } from "./layout.ts";

/** The first time that a zip can hold: no build is of any other. */
const TIME = new Date(1980, 0, 1);
const UNIX = 3;
const EXECUTABLE = 0o100755;
const PLAIN = 0o100644;
const MODE_SHIFT = 16;
const COMPRESSION_LEVEL = 6;

/** A zip of the files, of the same bytes whenever and wherever it is made. */
export async function zipPart(part: Part): Promise<Uint8Array> {
  const entries: Zippable = {};
  const sorted = [...part].sort(([a], [b]) => a < b ? -1 : 1);
  for (const [path, { from, executable }] of sorted) {
    const bytes = typeof from === "string" ? await Deno.readFile(from) : from;
    const mode = executable === true ? EXECUTABLE : PLAIN;
    entries[path] = [bytes, { attrs: mode << MODE_SHIFT, os: UNIX }];
  }
  return zipSync(entries, { mtime: TIME, level: COMPRESSION_LEVEL });
}
