import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { Live, LiveEvent } from "./live.ts";

/** A page that hears nothing for longer takes its link for cut. */
const HEARTBEAT_MS = 15_000;

/**
 * Tells a page what happens, as server-sent events, until either ends. A proxy
 * in between is asked to pass them on as they come: nginx by a header of its
 * own, others by one that is in RFC 9111.
 */
export function streamEvents(context: Context, live: Live): Response {
  const response = streamSSE(context, async (stream) => {
    // Of each type the newest counts: a page that lags has no queue.
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
