import assert from "node:assert/strict";
import { startS3Server } from "../../embedded/s3_server.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import {
  openPlatform,
  type Platform,
  type ZoneKind,
} from "../harness/platform.ts";
import { BUCKET } from "../harness/servers/s3.ts";
import { taskEnv } from "../harness/task.ts";

const ODD = "/@:#?&=+ '\"\\%20$ü";

/** Other files of tests run at the same time, and make sessions of their own. */
const MARK = `zq${crypto.randomUUID().slice(0, 6)}`;

/** What of each canary is found whatever stands around it is made into. */
const CORE = {
  source: `${MARK}Source9x`,
  warehouse: `${MARK}Warehouse9x`,
  libpq: `${MARK}Libpq9x`,
  keyId: `${MARK}KEYID9X`.toUpperCase(),
  secretKey: `${MARK}SecretKey9x`,
  token: `${MARK}Token9x`,
  dashboard: `${MARK}Board9x`,
};

export const CANARIES = {
  source: `${CORE.source}${ODD}`,
  warehouse: `${ODD}${CORE.warehouse}`,
  libpq: `${CORE.libpq}${ODD}`,
  keyId: `${CORE.keyId}ABCDEFGHI`,
  secretKey: `${CORE.secretKey}/+abc'"\\=`,
  token: `${CORE.token}//token+++==`,
  dashboard: `${CORE.dashboard}${ODD}`,
};

export const CORES = Object.values(CORE);

const LEAK = new RegExp(CORES.flatMap(formsOf).join("|"), "i");

/** As it is, in base64 at any place in a text, and in hexadecimal digits. */
function formsOf(core: string): string[] {
  const inBase64 = [0, 1, 2].map((before) => {
    const text = btoa("x".repeat(before) + core);
    // What its neighbours have a part in can't be told.
    return text.slice(before === 0 ? 0 : 4, -4).replace(/[+/]/g, "\\$&");
  });
  const inHex = [...core].map((one) => one.charCodeAt(0).toString(16)).join("");
  return [core, ...inBase64, inHex];
}

export function withPassword(
  url: string,
  password: string,
  changes: { user?: string; host?: string; search?: string } = {},
): string {
  const changed = new URL(url);
  changed.password = "PASSWORD";
  changed.username = changes.user ?? changed.username;
  changed.hostname = changes.host ?? changed.hostname;
  changed.search = changes.search ?? "";
  return changed.href.replace("PASSWORD", encodeURIComponent(password));
}

/** Makes roles with the canaries as their passwords; gone at the end. */
export async function openSecretRoles({ source, warehouse }: Platform) {
  const id = crypto.randomUUID().slice(0, 8);
  const [reader, loader] = [`reader_${id}`, `loader_${id}`];
  const { client } = source;
  for (
    const [role, password] of [
      [reader, CANARIES.source],
      [loader, CANARIES.warehouse],
    ] as const
  ) {
    await client.query(
      `create role ${quoteName(role)} superuser login
      password ${quoteText(password)}`,
    );
  }
  return {
    reader,
    loader,
    [Symbol.asyncDispose]: async () => {
      await warehouse.client.query(
        `drop owned by ${quoteName(loader)} cascade`,
      );
      await client.query(
        `drop role ${quoteName(reader)}, ${quoteName(loader)}`,
      );
    },
  };
}

/** Settings that work, with a canary wherever a secret may stand. */
export function secretEnv(
  platform: Platform,
  roles: { reader: string; loader: string },
): Record<string, string> {
  const { source, warehouse } = platform;
  return {
    ...taskEnv(platform),
    SOURCE_URL: withPassword(source.url, CANARIES.source, {
      user: roles.reader,
    }),
    WAREHOUSE_URL: withPassword(warehouse.url, CANARIES.warehouse, {
      user: roles.loader,
    }),
    ANALYST_URL: withPassword(warehouse.url, CANARIES.warehouse, {
      user: roles.loader,
    }),
    DASHBOARD_TOKEN: CANARIES.dashboard,
    PGPASSWORD: CANARIES.libpq,
    AWS_ACCESS_KEY_ID: CANARIES.keyId,
    AWS_SECRET_ACCESS_KEY: CANARIES.secretKey,
    AWS_SESSION_TOKEN: CANARIES.token,
  };
}

/** A platform whose keys for S3 may be any. */
export async function openKeylessPlatform(zones: ZoneKind) {
  const server = await startS3Server({ buckets: [BUCKET] });
  const platform = await openPlatform({
    zones,
    s3Endpoint: server.endpoint,
    warehouse: "empty",
  });
  return {
    platform,
    endpoint: server.endpoint,
    [Symbol.asyncDispose]: async () => {
      await platform[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

export function assertNoLeak(text: string, where: string): void {
  const found = LEAK.exec(text);
  const near = text.slice(Math.max(0, (found?.index ?? 0) - 200)).slice(0, 400);
  assert.equal(found, null, `${where}: ${near}`);
}
