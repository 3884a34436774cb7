import assert from "node:assert/strict";
import pg from "pg";
import { tableError } from "../../extract/source_error.ts";
import { StageError } from "../../lib/errors.ts";

/** The retry and the hint that an error of the source comes with. */
function adviceOf(code: string | undefined, message: string) {
  const error = new pg.DatabaseError(message, message.length, "error");
  if (code !== undefined) error.code = code;
  const made = tableError(error, "design");
  assert.ok(made instanceof StageError);
  return { retryable: made.retryable, hint: made.hint };
}

Deno.test("an error caused by a limit of the source's role names the limit, and is not retryable", () => {
  const { retryable, hint } = adviceOf(
    "53400",
    "temporary file size exceeds temp_file_limit (64kB)",
  );

  assert.equal(retryable, false);
  assert.match(hint ?? "", /Raise the limit .* for the source role/);
  assert.equal(adviceOf("57P01", "terminating connection").retryable, true);
});

Deno.test("a source without memory is distinguished from one without room for locks", () => {
  const memory = adviceOf(
    "53200",
    "out of memory. Failed on request of size 9",
  );
  assert.match(memory.hint ?? "", /out of memory/);
  assert.equal(memory.retryable, true);
  assert.match(
    adviceOf("53200", "out of shared memory").hint ?? "",
    /max_locks_per_transaction/,
  );
});

Deno.test("an error of the source that would recur in every run is not retryable, and has a hint", () => {
  for (
    const [state, message, retryable, hint] of [
      [
        "0A000",
        "cannot access temporary or unlogged relations during recovery",
        false,
        /SOURCE_URL name the primary/,
      ],
      ["42883", "function f(numeric) does not exist", false, /server log/],
      ["54000", "too large", false, /server log/],
      [
        "57P05",
        "terminating connection due to idle-session timeout",
        false,
        /idle_session_timeout: lift it/,
      ],
      [
        "25P04",
        "terminating connection due to transaction timeout",
        false,
        /set transaction_timeout to 0/,
      ],
      ["XX001", "invalid page in block 7", false, /server log/],
      [
        "XX000",
        "invalid memory alloc request size 1200000003",
        false,
        /shorten it in the source/,
      ],
      ["08P01", "query timeout", false, /^The pooler there limits/],
      ["08P01", "idle transaction timeout", false, /^The pooler there limits/],
      ["08P01", "server conn crashed?", true, /log of the pooler/],
      [undefined, "Connection terminated unexpectedly", true, /query_timeout/],
      [
        "40001",
        "canceling statement due to conflict with recovery",
        true,
        /hot_standby_feedback/,
      ],
      ["72000", "snapshot too old", true, /old_snapshot_threshold/],
      ["57P01", "terminating connection", true, /^Run extract again/],
      ["53100", "could not extend file", true, /disk of the source/],
    ] as const
  ) {
    const advice = adviceOf(state, message);
    assert.equal(advice.retryable, retryable, message);
    assert.match(advice.hint ?? "", hint, message);
  }
});
