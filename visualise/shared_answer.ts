/** For so long what changes by itself, such as an age, may be told again. */
const AGE_MAX_MS = 1_000;

/** One answer for all who ask within a second. */
export class SharedAnswer<T> {
  #asked: { at: number; answer: Promise<T> } | undefined;

  constructor(private readonly ask: () => Promise<T>) {}

  async get(): Promise<T> {
    const asked = this.#asked;
    if (asked !== undefined && performance.now() - asked.at < AGE_MAX_MS) {
      return await asked.answer;
    }
    const answer = this.ask();
    this.#asked = { at: performance.now(), answer };
    return await answer;
  }

  /** The next who asks gets an answer that is begun from now on. */
  forget(): void {
    this.#asked = undefined;
  }
}
