import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { Live, LiveEvent } from "./live_events.ts";

/** How often a silent stream sends something, so that pages know it is up. */
const HEARTBEAT_MS = 15_000;

/**
 * Streams events to a page as server-sent events, until the page or the server
 * ends. Headers ask proxies not to buffer them: nginx has its own, and others
 * follow one of RFC 9111.
 */
export function streamEvents(context: Context, live: Live): Response {
  const response = streamSSE(context, async (stream) => {
    // Only the newest of each type counts: a page that lags has no queue.
    const waiting = new Map<LiveEvent["type"], LiveEvent>();
    let wake = () => {};
    const stopListening = live.listen((event) => {
      waiting.set(event.type, event);
      wake();
    });
    stream.onAbort(() => {
      stopListening();
      wake();
    });
    try {
      while (!stream.aborted && !waiting.has("end")) {
        const [event] = waiting.values();
        if (event !== undefined) {
          waiting.delete(event.type);
          const { type, ...data } = event;
          await stream.writeSSE({ event: type, data: JSON.stringify(data) });
          continue;
        }
        let timer: ReturnType<typeof setTimeout> | undefined;
        const isLate = await new Promise<boolean>((done) => {
          wake = () => done(false);
          timer = setTimeout(() => done(true), HEARTBEAT_MS);
        });
        clearTimeout(timer);
        if (isLate) await stream.writeSSE({ event: "here", data: "" });
      }
    } finally {
      stopListening();
    }
  });
  response.headers.set("cache-control", "no-cache, no-transform");
  response.headers.set("x-accel-buffering", "no");
  return response;
}
