import { SIMULATED_NORTHWIND } from "./northwind.ts";
import { simulate } from "./simulate.ts";

Deno.test("a history of Northwind, with writers, faults and migrations, keeps every promise", async () => {
  await simulate(1, { company: SIMULATED_NORTHWIND });
});
