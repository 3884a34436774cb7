/** How `chunks` divides content. */
export interface ChunkOptions {
  /** The size of every chunk but the last. */
  bytes: number;
  /** Ends the chunks with its reason, even while content is awaited. */
  signal?: AbortSignal | undefined;
}

/** Divides content into chunks of one size, each with its own memory. */
export async function* chunks(
  content: AsyncIterable<Uint8Array>,
  { bytes, signal }: ChunkOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let chunk = new Uint8Array(bytes);
  let filled = 0;
  for await (const piece of abortable(content, signal)) {
    for (let start = 0; start < piece.length;) {
      const part = piece.subarray(start, start + bytes - filled);
      chunk.set(part, filled);
      filled += part.length;
      start += part.length;
      if (filled === bytes) {
        yield chunk;
        chunk = new Uint8Array(bytes);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

async function* abortable(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (signal === undefined) return yield* content;
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const iterator = content[Symbol.asyncIterator]();
  let ended = false;
  try {
    signal.throwIfAborted();
    while (true) {
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next.done) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: if the content hangs, so would this.
    if (!ended) iterator.return?.().catch(() => {});
  }
}

/** One piece, as a stream. */
export async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(content);
}

/** Passes pieces on, and notes the error that ends them. */
export async function* noting<T>(
  pieces: AsyncIterable<T>,
  note: (error: unknown) => void,
): AsyncGenerator<T> {
  try {
    yield* pieces;
  } catch (error) {
    note(error);
    throw error;
  }
}
