import assert from "node:assert/strict";
import { describeError } from "../../lib/describe_error.ts";

Deno.test("describeError() describes whatever was thrown", () => {
  const options = { command: "load", json: false };

  assert.equal(describeError(new Error("odd"), options), "odd\n");
  assert.equal(describeError("thrown", options), "thrown\n");
});
