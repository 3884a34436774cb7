import assert from "node:assert/strict";
import { retry } from "../../lib/retry.ts";

/** Fails as often as there are errors, then gives how often it was called. */
function failing(...errors: string[]) {
  let calls = 0;
  return () => {
    const message = errors[calls++];
    return message === undefined
      ? Promise.resolve(calls)
      : Promise.reject(new Error(message));
  };
}

Deno.test("retry() gives the result of the first attempt that succeeds", async () => {
  assert.equal(await retry(failing(), { attemptsMax: 3 }), 1);
  assert.equal(await retry(failing("a", "b"), { attemptsMax: 3 }), 3);
});

Deno.test("retry() throws the error of the last attempt", async () => {
  await assert.rejects(
    retry(failing("a", "b", "c"), { attemptsMax: 2, backoffMs: 1 }),
    new Error("b"),
  );
});

Deno.test("retry() throws at once what no other attempt gets past", async () => {
  await assert.rejects(
    retry(failing("busy", "gone", "busy"), {
      attemptsMax: 9,
      isRetryable: (error) =>
        error instanceof Error && error.message !== "gone",
    }),
    new Error("gone"),
  );
});
