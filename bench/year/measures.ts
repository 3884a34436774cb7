/** What a run took; values that can't be measured are left out. */
export interface Sample {
  seconds: number;
  cpuSeconds?: number;
  peakMb?: number;
  /** Calls to a zone in a directory. */
  calls?: number;
  /** Requests to an S3 server, by kind. */
  gets?: number;
  heads?: number;
  puts?: number;
  lists?: number;
  deletes?: number;
  /** Names read from folders; S3 lists objects in pages instead. */
  names?: number;
  bytes?: number;
  files?: number;
}

const MEASURES = {
  "wall, s": { of: "seconds", digits: 2 },
  "CPU of the process, s": { of: "cpuSeconds", digits: 2 },
  "peak memory, MB": { of: "peakMb", digits: 0 },
  "calls to the zones": { of: "calls", digits: 0 },
  "GET": { of: "gets", digits: 0 },
  "HEAD": { of: "heads", digits: 0 },
  "PUT and POST": { of: "puts", digits: 0 },
  "lists": { of: "lists", digits: 0 },
  "DELETE": { of: "deletes", digits: 0 },
  "names in folders": { of: "names", digits: 0 },
  "bytes from and to the stores, kB": { of: "bytes", digits: 0, unit: 1000 },
  "Parquet files read": { of: "files", digits: 0 },
} as const satisfies Record<
  string,
  { of: keyof Sample; digits: number; unit?: number }
>;

/** Samples, by what was measured and by the number of batches. */
export class Measures {
  readonly #samples = new Map<string, Map<number, Sample[]>>();
  readonly #batches = new Set<number>();

  add(what: string, batches: number, sample: Sample): void {
    this.#batches.add(batches);
    const ofWhat = this.#samples.get(what) ?? new Map<number, Sample[]>();
    this.#samples.set(what, ofWhat);
    ofWhat.set(batches, [...ofWhat.get(batches) ?? [], sample]);
  }

  /** A table for each measure: the least, the median and the most. */
  tables(): string {
    return Object.entries(MEASURES).map(([name, measure]) => {
      const unit = "unit" in measure ? measure.unit : 1;
      const lines = [...this.#samples].flatMap(([what, ofWhat]) => {
        const cells = [...this.#batches].map((batches) =>
          cellOf(
            (ofWhat.get(batches) ?? []).flatMap((sample) =>
              sample[measure.of] ?? []
            ).map((value) => value / unit),
            measure.digits,
          )
        );
        return cells.every((cell) => cell === "") ? [] : [[what, ...cells]];
      });
      const head = [
        name,
        ...[...this.#batches].map((one) => one.toLocaleString("en")),
      ];
      return [head, head.map(() => "---"), ...lines]
        .map((cells) => `| ${cells.join(" | ")} |`).join("\n");
    }).join("\n\n");
  }
}

/** The least, the median and the most; one number if they are the same. */
function cellOf(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((one, other) => one - other);
  const shown = [0, 0.5, 1].flatMap((share) => {
    const value = sorted[Math.floor((sorted.length - 1) * share)];
    return value === undefined ? [] : value.toLocaleString("en", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  });
  return [...new Set(shown)].join(" / ");
}
