import { OTHER_COMPANY } from "./company/company.ts";
import type { SimulatedCompany } from "./simulated_company.ts";
import { SIMULATED_TOTESYS } from "./totesys.ts";

/**
 * Of so many seeds one has a warehouse that is loaded at the end and after some
 * sweeps only, and more faults where files are merged and groups are committed.
 */
const BEHIND_EVERY = 7;

/** Whose tables a history is about: a third of all have the other company's. */
export function companyOf(seed: number): SimulatedCompany {
  return [0, 2].includes(seed % 6) ? OTHER_COMPANY : SIMULATED_TOTESYS;
}

/** Whether extract looks at clocks; where it doesn't, they may stay wrong. */
export function hasTime(seed: number): boolean {
  return seed % 2 === 0;
}

/** Whether load is far behind: files are merged and swept before it comes. */
export function isBehind(seed: number): boolean {
  return seed % BEHIND_EVERY === BEHIND_EVERY - 2;
}
