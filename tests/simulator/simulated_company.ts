import type pg from "pg";
import type { Company } from "../harness/companies/company.ts";
import type { ZoneKind } from "../harness/platform.ts";
import type { WrittenTable } from "../harness/companies/random_writers.ts";

/** What the source's owner does that the platform must refuse until repaired. */
export interface Trouble {
  what: string;
  /** SQL that makes it, and SQL that repairs it again. */
  make: string;
  repair: string;
}

/** A table as its owner's migrations change it, and change it back. */
export interface MigratedTable {
  name: string;
  column: string;
  type: string;
  /** What the column may be for a while. */
  otherType: string;
  /** A partition and its bounds. */
  partition?: { name: string; bounds: string };
}

/** A company with all that histories do to its source. */
export interface SimulatedCompany extends Company {
  /** Its folder of SQL, for stages that are real processes. */
  sqlDirectory: string;
  /** The schema of its tables; left out: the source's own, public. */
  schema?: string;
  /** Makes its tables in an empty database, with a few rows. */
  fillSource: (client: pg.Client) => Promise<void>;
  written: readonly WrittenTable[];
  migrated: readonly MigratedTable[];
  /** Each by a number that was never used before. */
  troubles: readonly ((fresh: number) => Trouble)[];
  /** SQL that changes how rows read that nobody writes: labels of an enum. */
  relabel: readonly ((fresh: number) => string)[];
}

/** What is not left to the seed of a history. */
export interface HistoryOptions {
  zones?: ZoneKind | undefined;
  company?: SimulatedCompany | undefined;
}
