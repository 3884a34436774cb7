import assert from "node:assert/strict";
import { verify } from "../../verify/verify.ts";
import { assertMirrored } from "../harness/readers/mirror.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

Deno.test("load and verify refuse a table whose row security hides rows from them", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  const { source, warehouse: { client, settings } } = platform;
  const loader = `loader_${settings.database}`;
  await execute(
    client,
    `create role ${loader} login password 'x'`,
    `grant create on database ${settings.database} to ${loader}`,
    `alter schema public owner to ${loader}`,
  );
  platform.set({
    warehouse: { ...settings, user: loader, password: "x" },
  });
  await fillSmall(source.client);
  await platform.run();
  await execute(
    client,
    "alter table fact_payment enable row level security",
    "alter table fact_payment force row level security",
    "create policy north on fact_payment for select using (payment_id < 3)",
    "create policy anything on fact_payment for insert with check (true)",
  );
  await execute(
    source.client,
    "update payment set paid = true, last_updated = now() where payment_id = 4",
  );
  const refused = {
    message: /row-level security policy for table "fact_payment"/,
    hint: /alter table ... no force row level security/,
  };

  await platform.extract();
  await platform.transform();
  await assert.rejects(platform.load(), refused);
  await execute(client, "alter table fact_payment no force row level security");
  await platform.load();

  await assertMirrored(platform);
  await execute(client, "alter table fact_payment force row level security");
  await assert.rejects(verify(platform.context), refused);
  await execute(client, "alter table fact_payment no force row level security");
  assert.equal((await verify(platform.context)).same, true);
  await execute(
    client,
    `reassign owned by ${loader} to current_user`,
    `drop owned by ${loader}`,
    `drop role ${loader}`,
  );
});
