import { type Encoded, encodeJson } from "./encoded_body.ts";

/** The most bytes of answers that are kept, least recently used out first. */
const BYTES_MAX = 64_000_000;
/** Of the names that it is kept under, which a filter may make long. */
const CHARACTER_BYTES = 2;

interface Kept {
  answer: Promise<Encoded>;
  bytes: number;
}

/**
 * Caches answers about batches. The content of a batch never changes, so each
 * answer is made once, and a hundred viewers cost one query.
 */
export class AnswerCache {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(private readonly bytesMax = BYTES_MAX) {}

  /** Returns the JSON of what `make` returns, cached under these names. */
  async get(
    names: readonly (string | number | null)[],
    make: () => Promise<unknown>,
  ): Promise<Encoded> {
    const key = JSON.stringify(names);
    const known = this.#kept.get(key);
    if (known !== undefined) {
      // Last in the map is the last to be evicted.
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return await known.answer;
    }
    const one: Kept = { answer: make().then(encodeJson), bytes: 0 };
    this.#kept.set(key, one);
    try {
      const { plain, gzip } = await one.answer;
      const bytes = plain.byteLength + (gzip?.byteLength ?? 0) +
        key.length * CHARACTER_BYTES;
      if (this.#kept.get(key) === one) this.#weigh(one, bytes);
    } catch (error) {
      if (this.#kept.get(key) === one) this.#kept.delete(key);
      throw error;
    }
    return await one.answer;
  }

  /** Forgets all, since the warehouse may have been rebuilt. */
  forget(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  #weigh(one: Kept, bytes: number): void {
    one.bytes = bytes;
    this.#bytes += bytes;
    for (const [key, oldest] of this.#kept) {
      if (this.#bytes <= this.bytesMax) break;
      this.#kept.delete(key);
      this.#bytes -= oldest.bytes;
    }
  }
}
