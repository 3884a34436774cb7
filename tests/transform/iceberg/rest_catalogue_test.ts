import assert from "node:assert/strict";
import { RestCatalogue } from "../../../lib/iceberg/rest_catalogue.ts";
import type { TableMetadata } from "../../../lib/iceberg/table_metadata.ts";
import type { RestSettings } from "../../../lib/settings/iceberg_settings.ts";
import {
  type IcebergRest,
  NAMESPACE,
  openIcebergRest,
} from "../../harness/servers/iceberg_rest.ts";
import { transform } from "../../../transform/transform.ts";
import { lakeRows } from "../../harness/readers/lake_rows.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
} from "../../harness/platform.ts";
import { hasModules } from "../../harness/readers/python.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";

const { signal } = new AbortController();

Deno.test("a REST catalogue names the Iceberg tables to its readers", async (test) => {
  await using rest = await openIcebergRest();
  if (rest === undefined) {
    console.log("there is no JDK: the Iceberg REST catalogue is not tried");
    return;
  }
  await using platform = await openPlatform();
  await test.step("batch by batch, also tables from before", () =>
    follow(platform, rest));
  await test.step("and never goes back", () => overtake(platform, rest));
  await test.step("also when runs end in another order", () =>
    overlap(platform, rest));
  await test.step("unless it refuses, and says why", () => refuse(rest));
});

/** Tables of a zone are named, and follow its batches. */
async function follow(platform: Platform, rest: IcebergRest): Promise<void> {
  platform.set({ icebergCatalogue: "zone" });
  await fillSmall(platform.source.client);
  await platform.extract();
  await platform.transform();
  platform.set({
    icebergCatalogue: "rest",
    icebergRest: settings(rest, { login: { token: rest.token } }),
  });

  await platform.transform();

  await assertShown(platform, rest);
  assert.match(await shown(rest, "dim_design"), /\/v1\.metadata\.json$/);
  const staff = await shown(rest, "dim_staff");
  await execute(
    platform.source.client,
    "update design set design_name = 'Tin' where design_id = 2",
  );
  await platform.extract();
  await platform.transform();
  await assertShown(platform, rest);
  assert.match(await shown(rest, "dim_design"), /\/v2\.metadata\.json$/);
  assert.equal(await shown(rest, "dim_staff"), staff);
}

/** Runs that end in another order than they published. */
async function overtake(platform: Platform, rest: IcebergRest): Promise<void> {
  const catalogue = new RestCatalogue(
    settings(rest, { login: { token: rest.token } }),
    { signal },
  );
  const uri = await shown(rest, "dim_design");
  const older = uri.replace("v2.metadata", "v1.metadata");
  const show = async (uri: string) =>
    await catalogue.show("DIM_DESIGN", {
      metadata: await metadataAt(uri),
      uri,
    });

  await show(older);

  assert.equal(await shown(rest, "dim_design"), uri);
  await rest.call("DELETE", `namespaces/${NAMESPACE}/tables/dim_design`);
  await Promise.all([show(older), show(older)]);
  assert.equal(await shown(rest, "dim_design"), older);
  await show(uri);
  assert.equal(await shown(rest, "dim_design"), uri);
  const other = {
    ...await metadataAt(uri),
    "table-uuid": crypto.randomUUID(),
  };
  const elsewhere = uri.replace("/metadata/", "/elsewhere/");
  await assert.rejects(
    catalogue.show("dim_design", { metadata: other, uri: elsewhere }),
    {
      name: "StageError",
      message: /a table of this name is there already, at file:/,
    },
  );
  assert.deepEqual(complaints(platform), []);
}

/** A run that is slow to tell the catalogue is overtaken by the next one. */
async function overlap(platform: Platform, rest: IcebergRest): Promise<void> {
  const { context, source: { client } } = platform;
  const direct = settings(rest, { login: { token: rest.token } });
  const next = async (name: string) => {
    await execute(
      client,
      `update design set design_name = '${name}' where design_id = 2`,
    );
    await platform.extract();
  };
  let isFirst = true;
  await using server = serve(async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = await request.text();
    if (isFirst && request.method === "POST" && body.includes("dim_design")) {
      isFirst = false;
      await next("Zinc");
      await transform({
        ...context,
        config: { ...context.config, icebergRest: direct },
      });
      assert.match(await shown(rest, "dim_design"), /\/v4\.metadata\.json$/);
    }
    return await fetch(`${rest.url}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      ...body === "" ? {} : { body },
    });
  });
  await next("Lead");
  platform.set({ icebergRest: { ...direct, url: server.url } });

  await platform.transform();

  assert.equal(isFirst, false);
  assert.match(await shown(rest, "dim_design"), /\/v4\.metadata\.json$/);
}

async function refuse(rest: IcebergRest): Promise<void> {
  const uri = await shown(rest, "dim_design");
  const metadata = await metadataAt(uri);
  const show = (changed: Partial<RestSettings>) =>
    new RestCatalogue(settings(rest, changed), { signal })
      .show("dim_design", { metadata, uri });

  await assert.rejects(show({}), {
    name: "StageError",
    message:
      /^Cannot show the Iceberg table "dim_design" in the catalogue at http.*: HTTP 401 \(Not signed in\)$/,
    retryable: true,
  });
  await assert.rejects(
    show({ login: { token: rest.token }, namespace: ["missing"] }),
    { message: /HTTP 404 \(Namespace does not exist: missing\)$/ },
  );
}

for (
  const [what, status, body, message] of [
    [
      "doesn't replace tables",
      409,
      { error: { message: "Table already exists" } },
      /it does not replace a table that is registered \(HTTP 409 \(Table already exists\)\)/,
    ],
    [
      "knows no overwrite",
      406,
      { error: { message: "not supported" } },
      /it does not replace a table that is registered \(HTTP 406/,
    ],
    ["is broken", 500, undefined, /: HTTP 500$/],
  ] as const
) {
  Deno.test(`an error says that a REST catalogue ${what}`, async () => {
    await using server = serve((request) =>
      request.method === "POST"
        ? new Response(body && JSON.stringify(body), { status })
        : Response.json(TABLE)
    );

    await assert.rejects(showTo(server.url), { name: "StageError", message });
  });
}

Deno.test("a REST catalogue that is busy is asked again", async () => {
  let asked = 0;
  await using server = serve((request) => {
    if (request.method !== "POST") return Response.json(TABLE);
    return ++asked < 3
      ? new Response(null, { status: 503 })
      : Response.json({});
  });

  await showTo(server.url);

  assert.equal(asked, 3);
});

Deno.test("a REST catalogue is asked with a token of its OAuth server", async () => {
  const seen: string[] = [];
  await using server = serve(async (request) => {
    const { pathname, search } = new URL(request.url);
    const authorization = request.headers.get("authorization");
    const text = await request.text();
    seen.push(
      `${authorization} ${request.method} ${pathname}${search} ${text}`,
    );
    if (pathname === "/token") return Response.json({ access_token: "t0ken" });
    if (pathname === "/v1/config") {
      return Response.json({ overrides: { prefix: "p" } });
    }
    return pathname.endsWith("/tables/t")
      ? Response.json({ error: { message: "none" } }, { status: 404 })
      : Response.json({});
  });

  await showTo(server.url, {
    namespace: ["a", "b"],
    warehouse: "w h",
    login: {
      clientId: "id",
      clientSecret: "s",
      tokenUrl: `${server.url}/token`,
      scope: "catalog",
    },
  });

  assert.deepEqual(seen, [
    "null POST /token grant_type=client_credentials&client_id=id&client_secret=s&scope=catalog",
    "Bearer t0ken GET /v1/config?warehouse=w%20h ",
    "Bearer t0ken GET /v1/p/namespaces/a%1Fb/tables/t?snapshots=refs ",
    "Bearer t0ken GET /v1/p/namespaces/a%1Fb ",
    'Bearer t0ken POST /v1/p/namespaces/a%1Fb/register {"name":"t","metadata-location":"file:///z/t/metadata/v2.metadata.json"}',
  ]);
});

/** What a catalogue has of a table, and of its configuration. */
const TABLE = {
  "metadata-location": "file:///z/t/metadata/v1.metadata.json",
  metadata: { "table-uuid": "u" },
};

function showTo(url: string, changed: Partial<RestSettings> = {}) {
  return new RestCatalogue({
    url,
    namespace: ["lake"],
    warehouse: undefined,
    login: undefined,
    ...changed,
  }, { signal }).show("T", {
    metadata: { "table-uuid": "u" } as TableMetadata,
    uri: "file:///z/t/metadata/v2.metadata.json",
  });
}

function serve(answer: (request: Request) => Response | Promise<Response>) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    answer,
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function settings(
  { url }: IcebergRest,
  changed: Partial<RestSettings>,
): RestSettings {
  return {
    url,
    namespace: [NAMESPACE],
    warehouse: undefined,
    login: undefined,
    ...changed,
  };
}

/** Where the metadata is that the catalogue names. */
async function shown(rest: IcebergRest, table: string): Promise<string> {
  const found = await rest.call(
    "GET",
    `namespaces/${NAMESPACE}/tables/${table}`,
  );
  return (found as typeof TABLE)["metadata-location"];
}

async function metadataAt(uri: string): Promise<TableMetadata> {
  return JSON.parse(await Deno.readTextFile(new URL(uri)));
}

async function assertShown(
  platform: Platform,
  rest: IcebergRest,
): Promise<void> {
  assert.deepEqual(complaints(platform), []);
  if (!await hasModules("pyiceberg", "pyarrow")) return;
  const found = await rest.tables();
  for (const { name } of PROJECT_SQL.models) {
    const rows = await lakeRows(platform, { model: name });
    assert.equal(found[name]?.rows, rows.length, name);
  }
}

function complaints({ logged }: Platform): string[] {
  return logged.filter((line) => /^(warn|error)/.test(line));
}
