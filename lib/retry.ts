import { setTimeout as sleep } from "node:timers/promises";

/** Statuses with which a server says to ask again later. */
export const BUSY_STATUSES: readonly number[] = [429, 502, 503, 504];

/**
 * Does some work again until it succeeds. Throws the error of the last attempt,
 * or the first one that `isRetryable` excludes.
 */
export async function retry<Result>(
  work: () => Promise<Result>,
  options: {
    attemptsMax: number;
    /** Whether another attempt may get past an error; any, if left out. */
    isRetryable?: (error: unknown) => boolean;
    /** The pause before the second attempt, doubled for each later one. */
    backoffMs?: number;
  },
): Promise<Result> {
  const { attemptsMax, isRetryable = () => true, backoffMs = 0 } = options;
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attemptsMax || !isRetryable(error)) throw error;
    }
    await sleep(backoffMs * 2 ** (attempt - 1));
  }
}
