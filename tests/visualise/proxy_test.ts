import assert from "node:assert/strict";
import {
  batchShown,
  loaded,
  openPage,
  Served,
  testPage,
} from "../harness/browser/dashboard.ts";
import { inFolder } from "../harness/in_folder.ts";
import { findNginx, startNginx } from "../harness/servers/nginx.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

const nginx = findNginx();
if (nginx === undefined) {
  const message =
    "no nginx is installed: the dashboard behind it is not tested";
  if (Deno.env.get("CI") !== undefined) throw new Error(message);
  console.log(message);
}
const TOKEN = "a-token-of-the-dashboard";
const EVENT_MS_MAX = 2000;

/** How people put nginx before a server: as it is, and with compression. */
const WAYS = [
  { name: "nginx", path: "/", http: "" },
  {
    name: "nginx that compresses",
    path: "/",
    http: "gzip on; gzip_proxied any; gzip_types *; gzip_min_length 0;",
  },
  { name: "nginx, below a path", path: "/totesys/", http: "" },
  { name: "nginx, below a deeper path", path: "/data/totesys/", http: "" },
];

/** The events of a stream as they come. */
async function nextEvent(
  reader: ReadableStreamDefaultReader<string>,
  what: RegExp,
): Promise<void> {
  let text = "";
  const late = setTimeout(() => reader.cancel(), EVENT_MS_MAX);
  while (!what.test(text)) {
    const { value, done } = await reader.read();
    assert.equal(done, false, `${what} did not come in time: ${text}`);
    text += value;
  }
  clearTimeout(late);
}

for (const { name, path, http } of WAYS) {
  Deno.test({
    name: `events come at once through ${name}`,
    ignore: nginx === undefined,
    fn: () =>
      inFolder(async (folder) => {
        await using platform = await loaded();
        await using served = new Served(platform, { token: TOKEN });
        const upstream = await served.address;
        await using proxy = await startNginx(nginx ?? "", {
          folder,
          http,
          server: `location ${path} { proxy_pass ${upstream}; }`,
        });
        const headers = { authorization: `Bearer ${TOKEN}` };
        const leave = new AbortController();
        const answer = await fetch(`${proxy.address}${path}events`, {
          headers,
          signal: leave.signal,
        });
        assert.equal(answer.status, 200);
        const reader = answer.body?.pipeThrough(new TextDecoderStream())
          .getReader();
        assert.ok(reader !== undefined);

        await nextEvent(reader, /event: link\n/);
        await execute(
          platform.source.client,
          insertOrder(50),
        );
        await platform.extract();
        await platform.transform();
        const loading = platform.load();
        await loading;
        await nextEvent(reader, /event: batch\n.*"batch":"?2/);

        leave.abort();
        await reader.cancel().catch(() => {});
      }),
  });

  if (http !== "") continue;
  testPage(
    `the page works through ${name}, and signing in there`,
    () =>
      nginx === undefined ? Promise.resolve() : inFolder(async (folder) => {
        await using platform = await loaded();
        await using served = new Served(platform, { token: TOKEN });
        await using proxy = await startNginx(nginx, {
          folder,
          server: `location ${path} { proxy_pass ${await served.address}; }`,
        });
        const page = await openPage();
        const failed: string[] = [];
        page.on("response", (response) => {
          if (response.status() >= 400) {
            failed.push(`${response.status()} ${response.url()}`);
          }
        });
        // nginx itself adds the slash that is missing.
        await page.goto(`${proxy.address}${path.replace(/(.)\/$/, "$1")}`);
        await page.locator("input[name=token]").fill("not the token");
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.getByText("That is not the token.").waitFor();
        await page.locator("input[name=token]").fill(TOKEN);
        failed.length = 0;
        await page.getByRole("button", { name: "Sign in" }).click();

        await batchShown(page, 1);
        assert.equal(page.url(), `${proxy.address}${path}`);
        const [cookie] = await page.context().cookies();
        assert.equal(cookie?.path, path.replace(/(.)\/$/, "$1"));
        await platform.run();
        await batchShown(page, 2);
        await page.getByRole("link", { name: "Pipeline" }).click();
        await page.locator("#stages [data-stage=load]").waitFor();
        assert.deepEqual(failed, []);
        await page.close();
      }),
  );
}
