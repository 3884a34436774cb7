/** For so long what changes by itself, such as an age, may be told again. */
const AGE_MAX_MS = 1_000;

/** One answer for all who ask while it is under way, and within a second. */
export class CoalescedQuery<T> {
  #asked: { answer: Promise<T>; answeredAt: number } | undefined;

  constructor(private readonly ask: () => Promise<T>) {}

  async get(): Promise<T> {
    const known = this.#asked;
    if (
      known !== undefined && known.answeredAt > performance.now() - AGE_MAX_MS
    ) {
      return await known.answer;
    }
    const asked = { answer: this.ask(), answeredAt: Infinity };
    this.#asked = asked;
    try {
      return await asked.answer;
    } finally {
      asked.answeredAt = performance.now();
    }
  }

  /** The next who asks gets an answer that is begun from now on. */
  forget(): void {
    this.#asked = undefined;
  }
}
