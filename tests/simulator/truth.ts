import { ingestionManifest } from "../harness/manifests.ts";
import { expectedState, type State } from "../harness/oracle.ts";
import type { Platform } from "../harness/platform.ts";

/** What the source held at each snapshot, and what follows for each batch. */
export class Truth {
  readonly #atSnapshot = new Map<string, State>();
  readonly #source: State[] = [];
  readonly #expected: State[] = [];

  constructor(protected readonly platform: Platform) {}

  /** Keeps the source's content at a snapshot, by its time. */
  record(snapshotTime: string, source: State): void {
    this.#atSnapshot.set(snapshotTime, source);
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
      );
    }
    return this.#expected[batch] ?? {};
  }
}
