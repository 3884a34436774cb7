import assert from "node:assert/strict";
import { EXIT } from "../../lib/errors.ts";
import { main } from "./main.ts";

const REFUSED = [
  "",
  "--seed x",
  "--seed 1..3",
  "--seed 99999999999999999",
  "--seeds 9..3",
  "--seed 1 --seeds 1..2",
  "--seed 1 --minutes 1",
  "--seed 1 --jobs 0",
  "--seed 1 --jobs 1.5",
  "--minutes 0",
  "--minutes soon",
  "--minutes 1 --least -1",
  "--seed 1 --zones FTP",
  "--seed 1 --company southwind",
  "--nothing",
];

for (const line of REFUSED) {
  Deno.test(`simulate ${line} is refused`, async () => {
    const words = line.split(" ").filter((word) => word !== "");

    assert.equal(await main(words), EXIT.usage);
  });
}
