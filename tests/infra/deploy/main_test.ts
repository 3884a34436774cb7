import assert from "node:assert/strict";
import { dirname } from "node:path";
import { Task } from "../../harness/task.ts";

const NO_PROGRAMS = { PATH: dirname(Deno.execPath()) };

Deno.test("deploy reports wrong options before it does anything", async () => {
  const cases: [string[], RegExp][] = [
    [[], /deploy init \[ENVIRONMENT\]/],
    [["init", "../other", "--yes"], /deploy init \[ENVIRONMENT\]/],
    [["init", "--regoin", "x", "--yes"], /--regoin/],
    [["init", "testing"], /Without a terminal to ask on, add --yes/],
    [["init", "testing", "--yes"], /There is no AWS CLI: https:/],
  ];
  for (const [args, said] of cases) {
    await using task = new Task(["deploy", ...args], NO_PROGRAMS);

    assert.equal(await task.ended(), 2, task.out + task.error);
    assert.match(task.error, said);
  }
});
