/** How long an answer is reused, although it may hold an age. */
const AGE_MAX_MS = 1_000;

/** One answer for all requests while it is made, and for a while after. */
export class CoalescedQuery<T> {
  #asked: { answer: Promise<T>; answeredAt: number } | undefined;

  constructor(
    private readonly ask: () => Promise<T>,
    private readonly ageMaxMs = AGE_MAX_MS,
  ) {}

  async get(): Promise<T> {
    const known = this.#asked;
    if (
      known !== undefined &&
      known.answeredAt > performance.now() - this.ageMaxMs
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

  /** Makes the next request start a new query. */
  forget(): void {
    this.#asked = undefined;
  }
}
