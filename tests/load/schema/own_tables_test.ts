import assert from "node:assert/strict";
import { rebuildWarehouse } from "../../../load/repair/rebuild_warehouse.ts";
import { examine } from "../../../operate/examine.ts";
import { makePlan } from "../../../operate/plan.ts";
import { readStatus } from "../../../operate/read_status.ts";
import { verify } from "../../../verify/verify.ts";
import { readCatalogue } from "../../harness/readers/catalogue.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import {
  fillSmall,
  insertOrder,
} from "../../harness/companies/small_source.ts";

const MIGRATION_GONE =
  "Cannot rely on this warehouse: pipeline.migration, the list of its migrations, is gone";

/** What is done to the pipeline's own tables, what is said, and who repairs it. */
const DAMAGES: Record<
  string,
  { sql: string; says: string[]; repairs: "load" | "rebuild" }
> = {
  "the ledger is gone": {
    sql: "drop table pipeline.batch",
    says: ["pipeline.batch is gone"],
    repairs: "rebuild",
  },
  "the ledger's files are gone": {
    sql: "drop table pipeline.batch_file",
    says: ["pipeline.batch_file is gone"],
    repairs: "rebuild",
  },
  "findings lack a column": {
    sql: "alter table pipeline.finding drop column key",
    says: ["pipeline.finding lacks the column key"],
    repairs: "rebuild",
  },
  "the ledger has batches twice": {
    sql: `alter table pipeline.batch drop constraint batch_pkey;
      insert into pipeline.batch select * from pipeline.batch`,
    says: ["pipeline.batch has lost its primary key, and has keys twice"],
    repairs: "rebuild",
  },
  "what failed is there twice": {
    sql: `alter table pipeline.failure drop constraint failure_pkey;
      insert into pipeline.failure
      select 'load', 1, now(), now(), 'no', null, true from generate_series(1, 2)`,
    says: ["pipeline.failure has lost its primary key, and has keys twice"],
    repairs: "load",
  },
  "what failed, and what was verified, are gone": {
    sql: "drop table pipeline.failure, pipeline.verification",
    says: ["pipeline.verification is gone", "pipeline.failure is gone"],
    repairs: "load",
  },
  "what came of checks is gone": {
    sql: "drop table pipeline.check_result",
    says: ["pipeline.check_result is gone"],
    repairs: "load",
  },
};

async function openLoaded(): Promise<Platform> {
  const platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  await execute(platform.source.client, insertOrder(20));
  await platform.extract();
  await platform.transform();
  return platform;
}

/** What status, doctor and plan say of the warehouse. */
async function toldOf({ context }: Platform) {
  const { stages } = await readStatus(context);
  const findings = await examine(context);
  const plan = await makePlan(context);
  return {
    status: stages.find(({ stage }) => stage === "load")?.problem,
    doctor: findings.filter(({ hint }) => hint !== undefined)
      .map(({ found }) => found),
    plan: [
      ...plan.refusals.map(({ message }) => message),
      ...plan.warehouse,
    ],
  };
}

for (const [name, { sql, says, repairs }] of Object.entries(DAMAGES)) {
  Deno.test(`status, doctor and plan report that ${name}, and ${repairs} repairs it`, async () => {
    await using platform = await openLoaded();
    const { warehouse: { client }, context, logged } = platform;
    const before = await readCatalogue(client);
    await execute(client, sql);
    const message = `Cannot rely on this warehouse: ${says[0]}`;

    const told = await toldOf(platform);

    assert.deepEqual(told, {
      status: message,
      doctor: [message],
      plan: repairs === "rebuild"
        ? [message]
        : says.map((fault) => `${fault}: it is created again`),
    });
    if (repairs === "rebuild") {
      await assert.rejects(platform.load(), {
        message,
        hint:
          "Run `./totesys rebuild warehouse`: it creates that table again, and fills it",
        retryable: false,
      });
      await rebuildWarehouse(context);
    } else await platform.load();
    for (const fault of says) {
      assert(logged.includes(`warning: ${fault}: it is created again`));
    }
    assert.deepEqual(await readCatalogue(client), before);
    assert.deepEqual(await toldOf(platform), {
      status: undefined,
      doctor: [],
      plan: [],
    });
    assert.equal((await verify(context)).same, true);
  });
}

for (const table of ["migration", "batch", "verification"]) {
  Deno.test(`nothing is loaded while pipeline.${table} is unlogged`, async () => {
    await using platform = await openLoaded();
    const { warehouse: { client } } = platform;
    const message =
      `Cannot rely on this warehouse: pipeline.${table} is unlogged, so a crash of the server would empty it silently`;
    await execute(client, `alter table pipeline.${table} set unlogged`);

    const told = await toldOf(platform);

    assert.deepEqual(told, {
      status: message,
      doctor: [message],
      plan: [message],
    });
    await assert.rejects(platform.load(), {
      message,
      hint: new RegExp(`^alter table pipeline.${table} set logged`),
      retryable: false,
    });
    await execute(client, `alter table pipeline.${table} set logged`);
    await platform.load();
  });
}

for (
  const sql of ["drop table pipeline.migration", "drop schema pipeline cascade"]
) {
  Deno.test(`after "${sql}" each command names what is missing, and what to do`, async () => {
    await using platform = await openLoaded();
    const { warehouse: { client }, context } = platform;
    await execute(client, sql);

    const told = await toldOf(platform);

    assert.deepEqual(told, {
      status: MIGRATION_GONE,
      doctor: [MIGRATION_GONE],
      plan: [MIGRATION_GONE],
    });
    for (
      const work of [() => platform.load(), () => rebuildWarehouse(context)]
    ) {
      await assert.rejects(work(), {
        message: MIGRATION_GONE,
        hint: /an empty database, which load fills with the whole history$/,
        retryable: false,
      });
    }
  });
}

Deno.test("another owner's schema named pipeline is not reported as damage", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await execute(
    platform.warehouse.client,
    "create schema pipeline",
    "create table pipeline.oil (id integer)",
  );
  await fillSmall(platform.source.client);

  await platform.run();

  assert.equal((await toldOf(platform)).status, undefined);
});
