import assert from "node:assert/strict";
import { GlueCatalogue } from "../../../lib/glue/glue_catalogue.ts";
import type { TableMetadata } from "../../../lib/iceberg/table_metadata.ts";
import { lakeRows } from "../../harness/readers/lake_rows.ts";
import {
  type MotoGlue,
  openMotoGlue,
} from "../../harness/servers/moto_glue.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";
import { GLUE_CALLED } from "../../infra/called_rights.ts";

const S3 = {
  region: "us-east-1",
  endpoint: undefined,
  accessKeyId: "test",
  secretAccessKey: "testtest",
  sessionToken: undefined,
  caFile: undefined,
};

/** As much of a table's metadata as Glue shows. */
const METADATA = `{
  "location": "s3://lake/t",
  "current-schema-id": 1,
  "schemas": [
    {"schema-id": 0, "fields": [
      {"id": 1, "name": "old", "required": false, "type": "uuid"}
    ]},
    {"schema-id": 1, "fields": [
      {"id": 2, "name": "amount", "required": false, "type": "decimal(10, 2)"},
      {"id": 3, "name": "count", "required": false, "type": "long"}
    ]}
  ]
}`;

Deno.test("Glue names the Iceberg tables to its readers", async (test) => {
  await using glue = await openMotoGlue();
  if (glue === undefined) {
    console.log("there is no moto with pyiceberg and boto3: Glue is not tried");
    return;
  }
  await test.step("batch by batch, also tables from before", () =>
    follow(glue));
  await test.step("and never goes back", () => overtake(glue));
});

/** Tables of a zone are named, follow its batches, and keep what others said. */
async function follow(glue: MotoGlue): Promise<void> {
  await using platform = await openPlatform({ zones: "S3" });
  platform.set({ icebergCatalogue: "zone" });
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  const called = new Set<string>();
  await using proxy = recordCalls(glue, called);
  const endpoint = `http://127.0.0.1:${proxy.addr.port}`;
  platform.set({
    icebergCatalogue: "glue",
    glue: { ...glue.settings, endpoint },
  });

  await platform.transform();

  await assertShown(platform, glue);
  const first = await glue.tables(platform.config.s3);
  assert.match(first.dim_design?.metadata ?? "", /\/v1\.metadata\.json$/);
  await glue.call("UpdateTable", {
    DatabaseName: "lake",
    TableInput: await described(glue),
  });
  await execute(
    platform.source.client,
    "update design set design_name = 'Tin' where design_id = 2",
  );
  await platform.extract();
  await platform.transform();
  await assertShown(platform, glue);
  const then = await glue.tables(platform.config.s3);
  assert.match(then.dim_design?.metadata ?? "", /\/v2\.metadata\.json$/);
  assert.deepEqual(then.dim_staff, first.dim_staff);
  const { Description, Parameters } = await tableOf(glue);
  assert.equal(Description, "designs");
  assert.equal(Parameters.owner_team, "sales");
  assert.equal(
    Parameters.previous_metadata_location,
    first.dim_design?.metadata,
  );
  assert.deepEqual([...called].sort(), GLUE_CALLED);
}

/** Passes calls on to Glue, and notes which: they are the rights of the role. */
function recordCalls({ settings }: MotoGlue, called: Set<string>) {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { method, headers } = request;
      const target = headers.get("x-amz-target") ?? "";
      called.add(target.replace("AWSGlue.", ""));
      const body = await request.text();
      return await fetch(settings.endpoint ?? "", { method, headers, body });
    },
  );
}

/** Runs that end in another order than they published. */
async function overtake(glue: MotoGlue): Promise<void> {
  const catalogue = new GlueCatalogue(glue.settings, { s3: S3 });
  const metadata: TableMetadata = JSON.parse(METADATA);
  const show = (folder: string, version: number) =>
    catalogue.show("T", {
      metadata,
      uri: `${folder}/metadata/v${version}.metadata.json`,
    });
  const shown = async () =>
    (await tableOf(glue, "t")).Parameters.metadata_location;

  await Promise.all([show("s3://lake/t", 3), show("s3://lake/t", 3)]);
  await show("s3://lake/t", 2);
  assert.deepEqual(await columnsOf(glue, "t"), [
    "amount decimal(10,2) 2 true",
    "count bigint 3 true",
    "old string 1 false",
  ]);
  assert.equal(await shown(), "s3://lake/t/metadata/v3.metadata.json");
  await show("s3://lake/t", 10);
  assert.equal(await shown(), "s3://lake/t/metadata/v10.metadata.json");
  // A lake that was moved begins with its own numbers.
  await show("s3://moved/t", 2);
  assert.equal(await shown(), "s3://moved/t/metadata/v2.metadata.json");
  // It was removed, and made again.
  const again = { ...metadata, "table-uuid": crypto.randomUUID() };
  const uri = "s3://moved/t/metadata/v1.metadata.json";
  await catalogue.show("T", { metadata: again, uri });
  assert.equal(await shown(), uri);
  await assert.rejects(
    catalogue.show("T", {
      metadata: JSON.parse(METADATA),
      uri: "s3://other/t/metadata/v1.metadata.json",
    }),
    { message: /a table of this name is there already, at s3:\/\/moved/ },
  );
  assert.equal(await shown(), uri);
  await assertStartsOver(glue);
  const missing = new GlueCatalogue(
    { ...glue.settings, database: "missing" },
    { s3: S3 },
  );
  await assert.rejects(missing.show("t", { metadata, uri: "s3://lake/t" }), {
    name: "StageError",
    message:
      /^Cannot show the Iceberg table "t" in Glue's database "missing": ./,
    retryable: true,
  });
  missing.close();
  catalogue.close();
}

/** Another run's update comes first, which moto itself does not notice. */
async function assertStartsOver({ settings }: MotoGlue): Promise<void> {
  const versions: unknown[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      if (request.headers.get("x-amz-target") === "AWSGlue.UpdateTable") {
        const { SkipArchive, VersionId } = JSON.parse(body);
        versions.push([SkipArchive, VersionId]);
        if (versions.length === 1) {
          return Response.json({
            __type: "ConcurrentModificationException",
            Message: "Update table failed due to concurrent modifications.",
          }, { status: 400 });
        }
      }
      const { method, headers } = request;
      return await fetch(settings.endpoint ?? "", { method, headers, body });
    },
  );
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  const catalogue = new GlueCatalogue({ ...settings, endpoint }, { s3: S3 });

  await catalogue.show("t", {
    metadata: JSON.parse(METADATA),
    uri: "s3://moved/t/metadata/v3.metadata.json",
  });

  catalogue.close();
  assert.equal(versions.length, 2);
  const [[skipsArchive, versionId]] = versions as [[boolean, string]];
  assert.ok(skipsArchive);
  assert.match(versionId, /^\d+$/);
}

async function assertShown(platform: Platform, glue: MotoGlue): Promise<void> {
  const found = await glue.tables(platform.config.s3);
  for (const { name } of PROJECT_SQL.models) {
    const rows = await lakeRows(platform, { model: name });
    assert.equal(found[name]?.rows, rows.length, name);
  }
}

async function tableOf(glue: MotoGlue, name = "dim_design") {
  const { Table } = await glue.call("GetTable", {
    DatabaseName: "lake",
    Name: name,
  });
  return Table as {
    Description?: string;
    Parameters: Record<string, string>;
    StorageDescriptor: {
      Columns: {
        Name: string;
        Type: string;
        Parameters: Record<string, string>;
      }[];
    };
  };
}

/** The table's input with what its owner says about it. */
async function described(glue: MotoGlue): Promise<object> {
  const { Parameters, StorageDescriptor } = await tableOf(glue);
  return {
    Name: "dim_design",
    TableType: "EXTERNAL_TABLE",
    Description: "designs",
    Parameters: { ...Parameters, owner_team: "sales" },
    StorageDescriptor,
  };
}

/** A table's columns with their types and numbers, and whether they are now's. */
async function columnsOf(glue: MotoGlue, name: string): Promise<string[]> {
  const { StorageDescriptor } = await tableOf(glue, name);
  return StorageDescriptor.Columns.map(({ Name, Type, Parameters }) =>
    [
      ...[Name, Type, Parameters["iceberg.field.id"]],
      Parameters["iceberg.field.current"],
    ].join(" ")
  );
}
