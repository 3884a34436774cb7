import assert from "node:assert/strict";
import pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { loadError } from "../../load/load_error.ts";

const SERVER = "host:5432/warehouse";

/** What a load throws where the server has this to say. */
function thrown(code: string | undefined, message: string): StageError {
  const error = code === undefined
    ? new Error(message)
    : Object.assign(new pg.DatabaseError(message, 1, "error"), {
      code,
      severity: "ERROR",
    });
  const told = loadError(error, SERVER);
  assert(told instanceof StageError);
  return told;
}

for (
  const [code, message, retryable, hint] of [
    ["23505", "duplicate key value", false, /deno task rebuild warehouse/],
    ["23502", "null value in column", false, /be null by a migration/],
    ["23505", "duplicate key of your index", false, /deleted rows stay in a/],
    ["23514", "violates check constraint", false, /^Drop the constraint/],
    ["23514", "violates check", false, /rows aside.*rebuild processed/],
    ["22003", "out of range", false, /wider type.*rebuild processed/],
    ["22P05", "unsupported Unicode escape", false, /rows aside in sql\/quar/],
    ["21000", "row a second time", false, /trigger/],
    ["P0001", "not on Sundays", false, /refused it, as the message says/],
    ["P0004", "assertion failed", false, /refused it/],
    ["44000", "violates check option", false, /refused it/],
    ["39P01", "trigger returned no tuple", false, /refused it/],
    ["3D000", "database does not exist", false, /WAREHOUSE_URL/],
    ["55000", "no replica identity", false, /replica identity/],
    ["55006", "object in use", true, /next run/],
    ["F0000", "configuration file has errors", false, /log/],
    ["22P02", "invalid input syntax", false, /wider type/],
    ["22021", "invalid byte sequence", false, /UTF8/],
    ["2BP01", "other objects depend on it", false, /^Drop what it names/],
    ["25006", "in a read-only transaction", true, /standby, or set read only/],
    ["25P04", "due to transaction timeout", false, /transaction_timeout/],
    ["42703", "column does not exist", false, /sql\/warehouse/],
    ["42501", "permission denied", false, /warehouse_roles/],
    ["53100", "could not extend file", true, /disk is full/],
    ["53400", "temporary file size exceeds", false, /temp_file_limit/],
    ["54000", "row is too big", false, /fewer columns/],
    ["55P03", "due to lock timeout", true, /holds a lock/],
    ["57014", "due to user request", true, /next run/],
    ["57P01", "terminating connection", true, /next run/],
    ["40P01", "deadlock detected", true, /next run/],
    [undefined, "Connection terminated unexpectedly", true, /next run/],
  ] as const
) {
  Deno.test(`loadError() of "${message}" says truly whether to try again`, () => {
    const error = thrown(code, message);

    assert.equal(error.message, `Cannot load into ${SERVER}: ${message}`);
    assert.equal(error.subject, SERVER);
    assert.equal(error.retryable, retryable);
    assert.match(error.hint ?? "", hint);
  });
}

Deno.test("loadError() leaves an error of a stage and an abort as they are", () => {
  const own = new StageError("a", { subject: "b" });
  const abort = new DOMException("asked to stop", "AbortError");

  assert.equal(loadError(own, SERVER), own);
  assert.equal(loadError(abort, SERVER), abort);
});
