import { execute, type Platform } from "../../harness/platform.ts";
import { insertOrder } from "../../harness/companies/small_source.ts";
import {
  type BadInput,
  damage,
  flipped,
  manifestOf,
  newestFile,
  testBadInputs,
} from "./bad_input.ts";

type Damage = Parameters<typeof damage>[1];

/** Batch 2, of two orders more, with its newest CSV damaged. */
function inNewCsv(how: Damage): BadInput["spoil"] {
  return async ({ source, config, extract }) => {
    await execute(source.client, insertOrder(30), insertOrder(31));
    await extract();
    return await damage(
      await newestFile(config.ingestionUrl, "sales_order", ".csv"),
      how,
    );
  };
}

/** A file that the lake has, damaged before the batch that needs it comes. */
function inLake(
  folder: string,
  how: Damage,
  change: (platform: Platform) => Promise<unknown>,
): BadInput["spoil"] {
  return async (platform) => {
    const { processedUrl } = platform.config;
    const path = await newestFile(processedUrl, folder, ".parquet");
    const repair = await damage(path, how);
    await change(platform);
    return repair;
  };
}

const withChange = (statement: string) => async (platform: Platform) => {
  await execute(platform.source.client, statement);
  await platform.extract();
};

/** A manifest of batch 2, damaged; `load` is to read the lake's. */
function inManifest(
  zone: "ingestionUrl" | "processedUrl",
  how: (folder: string) => Damage,
): BadInput["spoil"] {
  return async (platform) => {
    const folder = platform.config[zone];
    const isLake = zone === "processedUrl";
    // One more, for what is missing to be missed.
    for (const order of [30, 31]) {
      await execute(platform.source.client, insertOrder(order));
      await platform.extract();
      if (isLake) await platform.transform();
    }
    return await damage(manifestOf(folder), how(folder));
  };
}

function edited(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(bytes);
  return new TextEncoder().encode(text.replace('"batch":2', '"batch":3'));
}

const MANIFESTS: {
  how: string;
  damage: (folder: string) => Damage;
  message: RegExp;
}[] = [
  {
    how: "was cut short",
    damage: () => (bytes) => bytes.subarray(0, 100),
    message: /Cannot read the manifest .*000000002.json: it is not JSON/,
  },
  {
    how: "was edited",
    damage: () => edited,
    message: /000000002.json: its content does not match its checksum/,
  },
  {
    how: "is in another's place",
    damage: (folder) => () =>
      Deno.readFileSync(`${folder}/_batches/000000001.json`),
    message: /000000002.json: it belongs to batch 1/,
  },
  {
    how: "is missing",
    damage: () => () => undefined,
    message: /Cannot read batch 2: the manifest .*000000002.json is missing/,
  },
];

const CASES: BadInput[] = [
  {
    name: "a CSV that was cut short",
    spoil: inNewCsv((bytes) => bytes.subarray(0, bytes.length - 20)),
    stage: "transform",
    message: /Cannot read .*sales_order.*csv: it has \d+ bytes, the manifest/,
  },
  {
    name: "a CSV that was changed",
    spoil: inNewCsv(flipped),
    stage: "transform",
    message: /sales_order.*csv: its content does not match its checksum/,
  },
  {
    name: "a CSV that is missing",
    spoil: inNewCsv(() => undefined),
    stage: "transform",
    message: /csv: the manifest lists it, and it is missing/,
  },
  {
    name: "a CSV in another's place",
    spoil: async (platform) => {
      const { ingestionUrl } = platform.config;
      const other = await newestFile(ingestionUrl, "sales_order", ".csv");
      await withChange("update sales_order set units_sold = units_sold + 1")(
        platform,
      );
      return await damage(
        await newestFile(ingestionUrl, "sales_order", ".csv"),
        () => Deno.readFileSync(other),
      );
    },
    stage: "transform",
    message: /sales_order.*csv: its content does not match its checksum/,
  },
  {
    name: "a keys file that was changed",
    spoil: async (platform) => {
      const { ingestionUrl } = platform.config;
      await execute(
        platform.source.client,
        "delete from payment where payment_id = 5",
      );
      return await damage(
        await newestFile(ingestionUrl, "payment", "keys.txt"),
        flipped,
      );
    },
    stage: "extract",
    message:
      /Cannot read .*payment.*keys.txt: its keys of bucket 0 do not match/,
  },
  {
    name: "a manifest in the middle that is missing, and a hint that is behind",
    spoil: async (platform) => {
      const { ingestionUrl } = platform.config;
      const repair = await inManifest("ingestionUrl", () => () => undefined)(
        platform,
      );
      await Deno.writeTextFile(`${ingestionUrl}/_batches/latest`, "1\n");
      return repair;
    },
    stage: "extract",
    message:
      /Cannot commit batch 2: batch 3 is there, and the manifest .*2.json/,
  },
  ...MANIFESTS.flatMap(({ how, damage: damaged, message }): BadInput[] => [
    {
      name: `a manifest of extract's that ${how}`,
      spoil: inManifest("ingestionUrl", damaged),
      stage: "transform",
      message,
    },
    {
      name: `a manifest of transform's that ${how}`,
      spoil: inManifest("processedUrl", damaged),
      stage: "load",
      message,
    },
  ]),
  {
    name: "a Parquet file that was changed",
    spoil: async (platform) => {
      await withChange(insertOrder(30))(platform);
      await platform.transform();
      const { processedUrl } = platform.config;
      return await damage(
        await newestFile(processedUrl, "fact_sales_order", ".parquet"),
        flipped,
      );
    },
    stage: "load",
    message: /Cannot read .*fact_sales_order.*parquet: /,
  },
  ...([
    ["was changed", flipped, "its content does not match its checksum"],
    ["was cut short", (bytes) => bytes.subarray(9), "it has \\d+ bytes"],
    ["is missing", () => undefined, "the manifest lists it, and it is missing"],
  ] as [string, Damage, string][]).map(([how, damaged, found]): BadInput => ({
    name: `a table kept for the joins that ${how}`,
    spoil: inLake(
      "_state/current.staff",
      damaged,
      withChange(
        "update department set location = 'Hull' where department_id = 3",
      ),
    ),
    stage: "transform",
    message: new RegExp(`Cannot read .*current.staff.*parquet: ${found}`),
  })),
  {
    name: "a set's keys of a batch before",
    spoil: inLake(
      "_state/known.dim_date",
      flipped,
      withChange(insertOrder(30)),
    ),
    stage: "transform",
    message: /known.dim_date.*: its content does not match its checksum/,
  },
  {
    name: "a quarantine that was changed",
    spoil: async (platform) => {
      await withChange(
        "update payment set payment_date = 'never' where payment_id = 1",
      )(platform);
      await platform.transform();
      await platform.load();
      return await inLake(
        "_state/quarantine",
        flipped,
        withChange(
          "update payment set payment_date = '2023-01-01' where payment_id = 1",
        ),
      )(platform);
    },
    stage: "transform",
    message: /_state.quarantine.*: its content does not match its checksum/,
  },
  {
    name: "a Parquet file that a full read compares with",
    spoil: inLake(
      "fact_payment",
      flipped,
      (platform) => platform.extract({ fullRead: ["payment"] }),
    ),
    stage: "transform",
    message: /fact_payment.*parquet: its content does not match its checksum/,
  },
];

testBadInputs(CASES);
