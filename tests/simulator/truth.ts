import type { Company } from "../harness/companies/company.ts";
import { ingestionManifest } from "../harness/manifests.ts";
import { expectedState, type State } from "../harness/readers/oracle.ts";
import type { Platform } from "../harness/platform.ts";

/** What the source held at each snapshot, and what follows for each batch. */
export class Truth {
  readonly #atSnapshot = new Map<string, State>();
  readonly #taken = new Map<
    string,
    { atMs: number; machineAheadMs: number }
  >();
  readonly #source: State[] = [];
  readonly #expected: State[] = [];

  constructor(
    protected readonly platform: Platform,
    readonly company: Company,
  ) {}

  /**
   * Keeps the source's content at a snapshot, by its time; with by how much the
   * clock of the machine that took it was ahead.
   */
  record(snapshotTime: string, source: State, machineAheadMs = 0): void {
    this.#atSnapshot.set(snapshotTime, source);
    this.#taken.set(snapshotTime, { atMs: Date.now(), machineAheadMs });
  }

  /**
   * By how much a snapshot's time is ahead of when it was taken, by the clock
   * that is nearest of those that the machine and the store have.
   */
  aheadMs(snapshotTime: string): number {
    const taken = this.#taken.get(snapshotTime);
    if (taken === undefined) {
      throw new Error(`no snapshot was taken with the time ${snapshotTime}`);
    }
    const ahead = Date.parse(snapshotTime) - taken.atMs;
    const aheadOfMachine = ahead - taken.machineAheadMs;
    return Math.abs(ahead) < Math.abs(aheadOfMachine) ? ahead : aheadOfMachine;
  }

  /** What the source held at the snapshot of a committed batch. */
  async source(batch: number): Promise<State> {
    const known = this.#source[batch];
    if (known !== undefined) return known;
    const { snapshotTime } = await ingestionManifest(this.platform, batch);
    const state = this.#atSnapshot.get(snapshotTime);
    if (state === undefined) {
      throw new Error(`batch ${batch} is of no snapshot that was taken`);
    }
    return this.#source[batch] = state;
  }

  /** What every model should hold after a batch. */
  async expected(batch: number): Promise<State> {
    for (let next = this.#expected.length; next <= batch; next++) {
      this.#expected[next] = next === 0 ? {} : expectedState(
        await this.source(next),
        this.#expected[next - 1] ?? {},
        this.company,
      );
    }
    return this.#expected[batch] ?? {};
  }
}
