import { Random } from "../../demo/random.ts";
import { sha256Hex } from "../../lib/zone/checksum.ts";

/**
 * Random numbers of their own for each purpose of a history: what is decided
 * for one never moves what is decided for another.
 */
export function stream(seed: number, purpose: string): Random {
  return new Random(
    Number.parseInt(sha256Hex(`${seed} ${purpose}`).slice(0, 8), 16),
  );
}
