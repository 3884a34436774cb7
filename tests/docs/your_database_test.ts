import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { inFolder } from "../harness/in_folder.ts";
import { execute, openPlatform, type Platform } from "../harness/platform.ts";
import { Task, taskEnv } from "../harness/task.ts";

const GUIDE = await Deno.readTextFile(
  join(platformDirectory(), "docs", "your-database.md"),
);
/** Of the guide's own folder. */
const COMPANY = "~/company";

/** A block of the guide, and the paragraph that leads to it. */
interface Block {
  kind: string;
  text: string;
  before: string;
}

const BLOCKS: readonly Block[] = [
  ...GUIDE.matchAll(/^((?:\S.*\n)*)\n```(\w+)\n([^]*?)\n```$/gm),
].map(([, before = "", kind = "", text = ""]) => ({
  kind,
  text,
  before: before.replaceAll("\n", " ").trim(),
}));

Deno.test("docs/your-database.md does what it says, command by command", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform({ sourceSql: "" });
    const reader = new Reader(platform, join(folder, "company"));
    for (const block of BLOCKS) await reader.follow(block);

    assert.deepEqual(
      Object.fromEntries(
        Object.entries(reader.followed).map(([kind, count]) => [
          kind,
          count > 0,
        ]),
      ),
      { sh: true, text: true, sql: true, diff: true },
    );
    const { rows } = await platform.warehouse.client.query(
      `select (select count(channel) from fact_orders_as_of_batch(1)) as before,
        count(*) = count(channel) as now
      from fact_orders_current`,
    );
    assert.deepEqual(rows, [{ before: "0", now: true }]);
  }));

/** Somebody who does what the guide says. */
class Reader {
  readonly followed: Record<string, number> = {};
  readonly #platform: Platform;
  readonly #company: string;
  readonly #settings: Record<string, string> = {};
  /** What the last task wrote. */
  #out = "";

  constructor(platform: Platform, company: string) {
    this.#platform = platform;
    this.#company = company;
  }

  async follow({ kind, text, before }: Block): Promise<void> {
    this.followed[kind] = 1 + (this.followed[kind] ?? 0);
    const [, path] = /`([\w/]+\.sql)`:$/.exec(before) ?? [];
    const file = join(this.#company, "sql", path ?? "");
    const lines = text.split("\n");
    if (kind === "sh") await this.#runAll(text);
    else if (kind === "text") this.#assertSaid(lines);
    else if (kind === "diff") await edit(file, lines);
    else if (path === undefined) await this.#execute(text, before);
    else {
      await Deno.mkdir(dirname(file), { recursive: true });
      await Deno.writeTextFile(file, `${text}\n`);
    }
  }

  async #runAll(text: string): Promise<void> {
    for (const line of text.replaceAll(/ \\\n +/g, " ").split("\n")) {
      await this.#run(line);
    }
  }

  /** A line of a shell; a comment says that its task fails, or goes on. */
  async #run(line: string): Promise<void> {
    const [command = "", comment] = line.replaceAll(COMPANY, this.#company)
      .split(" # ");
    const [program, ...args] = [...command.matchAll(/"([^"]*)"|\S+/g)]
      .map(([word, inQuotes]) => inQuotes ?? word);
    const last = args.at(-1) ?? "";
    switch (program) {
      case "export": {
        const [name = "", value = ""] = last.split("=");
        // The servers are the test's own.
        if (!value.includes("...")) this.#settings[name] = value;
        return;
      }
      case "mkdir":
        return await Deno.mkdir(last);
      case "rm":
        return await Deno.remove(last);
      case "psql":
        return await this.#psql(args);
    }
    // The launcher runs the task of that name.
    assert.equal(program, "./totesys", line);
    await using task = new Task(args, {
      ...taskEnv(this.#platform),
      ...this.#settings,
    });
    if (comment === "until Ctrl-C") return await assertServes(task);
    const code = await task.ended();
    this.#out = task.out + task.error;
    assert.equal(code, comment === undefined ? 0 : 1, `${line}: ${this.#out}`);
  }

  /** What psql does with these arguments: not every machine has one. */
  async #psql([database, ...args]: readonly string[]): Promise<void> {
    assert.equal(database, "$SOURCE_URL");
    const statements = [];
    for (const [index, arg] of args.entries()) {
      const value = args[index + 1] ?? "";
      if (arg === "--command") statements.push(value);
      if (arg === "--file") {
        const path = resolve(platformDirectory(), value);
        statements.push(await Deno.readTextFile(path));
      }
    }
    const { client } = this.#platform.source;
    await execute(client, "begin", ...statements, "commit");
  }

  /** Where there is no terminal, tasks write the same as values of JSON. */
  #assertSaid(lines: readonly string[]): void {
    const said = new Set<unknown>();
    for (const line of this.#out.split("\n")) {
      if (!line.startsWith("{")) said.add(line.trim());
      else JSON.parse(line, (_, value) => said.add(value) && value);
    }
    for (const line of lines) {
      assert.ok(said.has(line.trim()), `${line}: ${this.#out}`);
    }
  }

  async #execute(sql: string, before: string): Promise<void> {
    const { source, warehouse } = this.#platform;
    const isWarehouse = /\bin the warehouse\b.*:$/i.test(before);
    assert.ok(isWarehouse || before.includes("the source"), sql);
    const client = (isWarehouse ? warehouse : source).client;
    if (!sql.startsWith("select")) return await execute(client, sql);
    const rows = await query(client, sql);
    assert.ok(rows.length > 0, sql);
    assert.ok(!rows.flatMap((row) => Object.values(row)).includes(null), sql);
  }
}

/** Fails unless the dashboard answers from the warehouse. */
async function assertServes(task: Task): Promise<void> {
  await task.says(/the dashboard is at/);
  const [, address = ""] = /"address":"([^"]+)"/.exec(task.out + task.error) ??
    [];
  const { newest } = await (await fetch(new URL("api/pipeline", address)))
    .json();
  assert.ok(Number(newest.batch) > 0);
}

/** Does an edit of a file as a diff shows it, at the one place that it fits. */
async function edit(file: string, lines: readonly string[]): Promise<void> {
  const without = (sign: string) =>
    lines.filter((line) => !line.startsWith(sign))
      .map((line) => `${line.slice(1)}\n`).join("");
  const text = await Deno.readTextFile(file);
  const parts = text.split(without("+"));
  assert.equal(parts.length, 2, `${file}: ${lines.join("\n")}`);
  await Deno.writeTextFile(file, parts.join(without("-")));
}
