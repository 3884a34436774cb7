import assert from "node:assert/strict";
import pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { tableError } from "../../extract/table_error.ts";

/** What a person is told of an error of the source. */
function told(code: string, message: string) {
  const error = new pg.DatabaseError(message, message.length, "error");
  error.code = code;
  const made = tableError(error, "design");
  assert.ok(made instanceof StageError);
  return { retryable: made.retryable, hint: made.hint };
}

Deno.test("a limit of the source's role is told as one, and passes by no further run", () => {
  const { retryable, hint } = told(
    "53400",
    "temporary file size exceeds temp_file_limit (64kB)",
  );

  assert.equal(retryable, false);
  assert.match(hint ?? "", /Raise the limit .* for the source role/);
  assert.equal(told("57P01", "terminating connection").retryable, true);
});
