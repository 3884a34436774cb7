/** Random numbers that a seed repeats (Mulberry32); not for secrets. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** At least 0, below 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** Chooses one of them, in proportion to their weights. */
  weighted<Choice extends { weight: number }>(
    choices: readonly Choice[],
  ): Choice {
    const total = choices.reduce((sum, { weight }) => sum + weight, 0);
    let left = this.fraction() * total;
    const chosen = choices.find(({ weight }) => (left -= weight) < 0);
    if (chosen === undefined) throw new RangeError("Cannot choose: no choices");
    return chosen;
  }
}
