import assert from "node:assert/strict";
import {
  ConfigError,
  EXIT,
  exitCode,
  isForeign,
  messageOf,
  StageError,
} from "../../lib/errors.ts";

Deno.test("messageOf() takes the password out of whatever was thrown", () => {
  assert.equal(messageOf(new Error("no a://b:c@d")), "no a://b:***@d");
  assert.equal(messageOf("no a://b:c@d"), "no a://b:***@d");
  assert.equal(messageOf(undefined), "undefined");
});

/** An error as the client of Postgres throws it. */
function serverError(
  fields: { code: string; detail?: string; hint?: string },
): Error {
  return Object.assign(new Error("it failed"), { severity: "ERROR" }, fields);
}

for (
  const { name, error, message } of [
    {
      name: "the names of what depends on something, not the advice to drop it",
      error: serverError({
        code: "2BP01",
        detail:
          "view a depends on table t\nview b depends on column c of table t",
        hint: "Use DROP ... CASCADE to drop the dependent objects too.",
      }),
      message:
        "it failed. view a depends on table t; view b depends on column c of table t",
    },
    {
      name: "a key and a hint",
      error: serverError({
        code: "23505",
        detail: "Key (id)=(7) already exists.",
        hint: "Look at a://b:c@d.",
      }),
      message: "it failed. Key (id)=(7) already exists. Look at a://b:***@d",
    },
    {
      name: "no value of a row, in any language",
      error: serverError({
        code: "23502",
        detail: "Fehlgeschlagene Zeile enthält (7, geheim).",
      }),
      message: "it failed",
    },
    {
      name: "no more than a line holds",
      error: serverError({ code: "2BP01", detail: "x".repeat(5000) }),
      message: `it failed. ${"x".repeat(400)}…`,
    },
    {
      name: "nothing of an error that is no server's",
      error: Object.assign(new Error("it failed"), { detail: "private" }),
      message: "it failed",
    },
  ]
) {
  Deno.test(`messageOf() returns ${name}`, () => {
    assert.equal(messageOf(error), message);
  });
}

Deno.test("exitCode() distinguishes usage, a data check and a failure", () => {
  const check = new StageError("a", { subject: "b", dataCheck: true });
  const failure = new StageError("a", { subject: "b" });

  assert.equal(exitCode(new ConfigError(["a"])), EXIT.usage);
  assert.equal(exitCode(check), EXIT.check);
  assert.equal(exitCode(failure), EXIT.failed);
  assert.equal(exitCode("thrown"), EXIT.failed);
});

Deno.test("StageError carries what a person needs", () => {
  const cause = new Error("below");

  const error = new StageError("Cannot", {
    subject: "thing",
    hint: "Do",
    retryable: true,
    cause,
  });

  assert.equal(error.name, "StageError");
  assert.equal(error.subject, "thing");
  assert.equal(error.hint, "Do");
  assert.equal(error.retryable, true);
  assert.equal(error.dataCheck, false);
  assert.equal(error.cause, cause);
});

Deno.test("messageOf() leaves out the row that DuckDB shows of a CSV file", () => {
  const error = new Error(
    "Invalid Input Error: CSV Error on Line: 2\nOriginal Line: 1,secret\nof two lines\nExpected Number of Columns: 3 Found: 2",
  );

  assert.equal(
    messageOf(error),
    "Invalid Input Error: CSV Error on Line: 2\nExpected Number of Columns: 3 Found: 2",
  );
});

Deno.test("isForeign() gives no advice on what Deno does not permit", () => {
  const denied = new Deno.errors.NotCapable("Requires ffi access");

  assert.equal(isForeign(denied), false);
  assert.equal(isForeign(new Error("the network is gone")), true);
});
