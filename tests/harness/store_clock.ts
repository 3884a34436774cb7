import { RESOURCES } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";
import { changedZone } from "./changed_zone.ts";
import type { Platform } from "./platform.ts";

const MS_PER_HOUR = 3_600_000;
/** S3 tells the time of a file to the second. */
const MS_PER_SECOND = 1000;
const TICK_MS = 20;

/**
 * The clock of the stores that a platform's zones are in, which can leap: files
 * that are there are older then by so much.
 */
export class StoreClock {
  readonly #leaps: { atMs: number; byMs: number }[] = [];

  constructor(platform: Platform) {
    platform.context.resources = {
      ...RESOURCES,
      openZone: (url, options) => this.#watch(RESOURCES.openZone(url, options)),
    };
  }

  async leap(hours: number): Promise<void> {
    const atMs = (Math.floor(Date.now() / MS_PER_SECOND) + 1) * MS_PER_SECOND;
    // What is made from now on is later also by a clock that ticks coarsely.
    await new Promise((wake) => setTimeout(wake, atMs - Date.now() + TICK_MS));
    this.#leaps.push({ atMs, byMs: hours * MS_PER_HOUR });
  }

  #watch(zone: Zone): Zone {
    const changed: Partial<Zone> = {
      // An answer's date may be a second late.
      now: async () =>
        this.#shift(
          new Date(
            Math.max(
              (await zone.now()).getTime(),
              this.#leaps.at(-1)?.atMs ?? 0,
            ),
          ),
        ),
      head: async (key) => {
        const head = await zone.head(key);
        return head && { ...head, modified: this.#shift(head.modified) };
      },
      list: async function* (
        this: StoreClock,
        ...[prefix, options]: Parameters<Zone["list"]>
      ) {
        for await (const file of zone.list(prefix, options)) {
          yield { ...file, modified: this.#shift(file.modified) };
        }
      }.bind(this),
      unfinished: async function* (this: StoreClock) {
        for await (const file of zone.unfinished()) {
          yield { ...file, begun: this.#shift(file.begun) };
        }
      }.bind(this),
    };
    return changedZone(zone, changed);
  }

  #shift(time: Date): Date {
    return this.#leaps.reduce(
      (shifted, { atMs, byMs }) =>
        time.getTime() < atMs ? shifted : new Date(shifted.getTime() + byMs),
      time,
    );
  }
}
