import type pg from "pg";
import type { Random } from "../../demo/random.ts";
import { messageOf } from "../../lib/errors.ts";
import { openClient } from "../harness/servers/postgres.ts";
import type { SimulatedCompany, Trouble } from "./simulated_company.ts";

const LOCK_TIMEOUT_MS = 100;
const TROUBLED_SHARE = 0.2;
const REPAIRED_SHARE = 0.4;
const RELABELLED_SHARE = 0.2;
/** Far from the numbers that writers use. */
const FRESH = 5_000_000;

/**
 * The source's owner, who lets in between rounds what the platform must refuse,
 * repairs it after a while, and changes what rows read as that nobody writes.
 */
export class SourceOwner implements AsyncDisposable {
  #fresh = FRESH;
  #open: Trouble[] = [];

  private constructor(
    private readonly client: pg.Client,
    private readonly company: SimulatedCompany,
    private readonly story: string[],
  ) {}

  /** Opens the connection. */
  static async open(
    url: string,
    options: { company: SimulatedCompany; story: string[] },
  ): Promise<SourceOwner> {
    const client = await openClient(url);
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    return new SourceOwner(client, options.company, options.story);
  }

  /** What the owner does before a round: mostly nothing. */
  async act(random: Random): Promise<void> {
    const { troubles } = this.company;
    for (const trouble of this.#open) {
      if (random.fraction() < REPAIRED_SHARE) await this.#repair(trouble);
    }
    if (troubles.length > 0 && random.fraction() < TROUBLED_SHARE) {
      const make = troubles[random.between(0, troubles.length - 1)];
      const trouble = make?.(this.#fresh++);
      if (trouble !== undefined && await this.#run(trouble.make)) {
        this.story.push(`the source now has ${trouble.what}`);
        this.#open.push(trouble);
      }
    }
    if (random.fraction() < RELABELLED_SHARE) await this.relabel(random);
  }

  /** Changes what rows read as, where the company has such columns. */
  async relabel(random: Random): Promise<void> {
    const { relabel } = this.company;
    if (relabel.length === 0) return;
    const make = relabel[random.between(0, relabel.length - 1)];
    await this.#run(make?.(this.#fresh++) ?? "");
  }

  /** Repairs all; nobody else may hold a lock any more. */
  async settle(): Promise<void> {
    for (const trouble of this.#open) await this.#repair(trouble);
    if (this.#open.length > 0) {
      throw new Error(`cannot repair ${this.#open[0]?.what}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end();
  }

  async #repair(trouble: Trouble): Promise<void> {
    if (!await this.#run(trouble.repair)) return;
    this.#open = this.#open.filter((one) => one !== trouble);
    this.story.push(`the source no longer has ${trouble.what}`);
  }

  /** Runs statements, all or none; whether that worked. */
  async #run(sql: string): Promise<boolean> {
    try {
      await this.client.query(sql);
      this.story.push(`owner: ${sql}`);
      return true;
    } catch (error) {
      this.story.push(`owner: ${sql} -- ${messageOf(error)}`);
      return false;
    }
  }
}
