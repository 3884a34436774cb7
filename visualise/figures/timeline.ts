import type { TextRow } from "../../lib/sql/quote.ts";
import type { Subject } from "../../lib/project/dashboard.ts";
import { isSplit } from "./subject_sql.ts";
import { trailSql } from "./batch_changes_sql.ts";
import type { Warehouse } from "../warehouse.ts";

/** The most spans of batches that a timeline has: a strip's columns. */
const SPANS_MAX = 200;

/** Batches in a row: the last of them, when it was taken, and what all did. */
export interface Span {
  batch: number;
  time: string;
  rows: number;
  /** What the checks found in them. */
  found: number;
  /** The most seconds from a snapshot to its load. */
  behind: number;
}

/** The batches after one, up to another. */
export interface BatchRange {
  after: number;
  to: number;
}

/** What the spans changed, as a table with one line of values for each row. */
export interface Trail {
  columns: string[];
  /** How many columns, the last ones, are measures. */
  measures: number;
  rows: (string | null)[][];
}

/**
 * All batches as at most 200 spans of equally many, for a page to move along
 * them. What a batch did never changes, so only what is new is ever read: the
 * ledger after the newest known batch, and the trails of spans that are not full.
 */
export class Timeline {
  #ledger: Ledger;

  constructor(private readonly warehouse: Warehouse) {
    this.#ledger = new Ledger(warehouse);
  }

  /** Reads the spans up to the newest batch. */
  async spans(): Promise<readonly Span[]> {
    return await this.#ledger.read();
  }

  /** Reads what each span changed of a subject; see `hasTrail`. */
  async trail(subject: Subject): Promise<Trail> {
    return await this.#ledger.trail(subject);
  }

  /** Reads a range of the batches as at most 200 spans, to see it closer. */
  async spansOf({ after, to }: BatchRange): Promise<readonly Span[]> {
    const step = Math.ceil((to - after) / SPANS_MAX);
    const spans: Span[] = [];
    for (const row of await this.warehouse.ask("ledger_after", [after, to])) {
      const index = Math.floor((Number(row.batch) - 1 - after) / step);
      spans[index] = joined(spans[index], spanOf(row));
    }
    // Numbers that no batch has may leave a span empty.
    return spans.filter((span) => span !== undefined);
  }

  /** Reads what each of its spans changed of a subject. */
  async trailOf(subject: Subject, range: BatchRange): Promise<Trail> {
    const spans = await this.spansOf(range);
    const ends = spans.map(({ batch }) => batch);
    const rows = await readTrail(this.warehouse, subject, {
      lows: [range.after, ...ends.slice(0, -1)],
      highs: ends,
      names: range.to,
    });
    return trailTable(subject, rows);
  }

  /**
   * Forgets all, since the warehouse may have been rebuilt; also what is being
   * read just now.
   */
  forget(): void {
    this.#ledger = new Ledger(this.warehouse);
  }
}

/** What is known of one warehouse. */
class Ledger {
  #step = 1;
  #spans: Span[] = [];
  #known = 0;
  readonly #trails = new Map<string, Map<number, TextRow[]>>();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(private readonly warehouse: Warehouse) {}

  async read(): Promise<readonly Span[]> {
    return await this.#inTurn(async () => {
      await this.#follow();
      return this.#spans;
    });
  }

  async trail(subject: Subject): Promise<Trail> {
    const known = await this.#inTurn(async () => {
      await this.#follow();
      const read = this.#trails.get(subject.name) ?? new Map();
      this.#trails.set(subject.name, read);
      const lacking = this.#spans.map((_, index) => index)
        .filter((index) => !read.has(index));
      const rows = await readTrail(this.warehouse, subject, {
        lows: lacking.map((index) => this.#lowOf(index)),
        highs: lacking.map((index) => this.#spans[index]?.batch ?? 0),
        names: this.#known,
      });
      const bySpan = Map.groupBy(rows, (row) => this.#indexOf(row));
      for (const index of lacking) read.set(index, bySpan.get(index) ?? []);
      return [...read.values()].flat();
    });
    return trailTable(subject, known);
  }

  /** One at a time, so that nothing is read twice. */
  async #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const own = this.#reading.then(read, read);
    this.#reading = own.catch(() => {});
    return await own;
  }

  /** Adds the batches that are new. */
  async #follow(): Promise<void> {
    const added = await this.warehouse.ask("ledger_after", [this.#known, null]);
    for (const row of added) {
      const index = this.#indexOf(row);
      this.#spans[index] = joined(this.#spans[index], spanOf(row));
      this.#known = Number(row.batch);
      for (const trail of this.#trails.values()) trail.delete(index);
      while (this.#spans.length > SPANS_MAX) this.#halve();
    }
  }

  /** Makes one span of each two. */
  #halve(): void {
    this.#step *= 2;
    const spans = this.#spans;
    this.#spans = [];
    for (const [index, span] of spans.entries()) {
      const half = Math.floor(index / 2);
      this.#spans[half] = joined(this.#spans[half], span);
    }
    this.#trails.clear();
  }

  #indexOf({ batch }: TextRow): number {
    return Math.floor((Number(batch) - 1) / this.#step);
  }

  #lowOf(index: number): number {
    return index * this.#step;
  }
}

function spanOf({ batch, time, rows, found, behind }: TextRow): Span {
  return {
    batch: Number(batch),
    time: time ?? "",
    rows: Number(rows),
    found: Number(found),
    behind: Number(behind),
  };
}

/** One span of two that follow each other. */
function joined(before: Span | undefined, span: Span): Span {
  return before === undefined ? span : {
    ...span,
    rows: before.rows + span.rows,
    found: before.found + span.found,
    behind: Math.max(before.behind, span.behind),
  };
}

/** Reads what batches changed, after each of `lows` and up to its high. */
async function readTrail(
  warehouse: Warehouse,
  subject: Subject,
  { lows, highs, names }: { lows: number[]; highs: number[]; names: number },
): Promise<TextRow[]> {
  return await warehouse.ask({
    name: `trail of ${subject.name}`,
    text: trailSql(subject),
  }, [lows.map(String), highs.map(String), names]);
}

function trailTable(subject: Subject, rows: readonly TextRow[]): Trail {
  const columns = [
    "batch",
    "month",
    ...subject.dimensions.filter((one) => isSplit(subject, one)),
    ...subject.measures,
  ].map((one) => typeof one === "string" ? one : one.name);
  return {
    columns,
    measures: subject.measures.length,
    rows: rows.map((row) => columns.map((column) => row[column] ?? null)),
  };
}
