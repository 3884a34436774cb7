import assert from "node:assert/strict";
import { AnswerCache } from "../../../visualise/http/answer_cache.ts";

/** Gives 100 bytes and counts how often it is asked. */
function counted() {
  const made = { count: 0 };
  const make = () => {
    made.count += 1;
    return Promise.resolve("x".repeat(98));
  };
  return { made, make };
}

Deno.test("AnswerCache makes one answer for concurrent requests", async () => {
  const kept = new AnswerCache();
  const { made, make } = counted();

  const answers = await Promise.all([
    kept.get(["a", 1], make),
    kept.get(["a", 1], make),
  ]);

  assert.equal(made.count, 1);
  assert.equal(answers[0]?.plain.byteLength, 100);
  assert.equal(answers[1], answers[0]);
});

Deno.test("AnswerCache drops the least recently used answers when it is full", async () => {
  const kept = new AnswerCache(250);
  const { made, make } = counted();
  await kept.get(["a"], make);
  await kept.get(["b"], make);
  await kept.get(["a"], make);
  await kept.get(["c"], make);
  assert.equal(made.count, 3);

  await kept.get(["a"], make);
  assert.equal(made.count, 3);
  await kept.get(["b"], make);
  assert.equal(made.count, 4);
});

Deno.test("AnswerCache counts the bytes of names, too", async () => {
  const kept = new AnswerCache(1000);
  const { made, make } = counted();
  await kept.get(["a"], make);
  await kept.get(["x".repeat(500)], make);
  assert.equal(made.count, 2);

  await kept.get(["a"], make);

  assert.equal(made.count, 3);
});

Deno.test("AnswerCache keeps no failures, and nothing after forget()", async () => {
  const kept = new AnswerCache();
  const { made, make } = counted();
  await assert.rejects(
    kept.get(["a"], () => Promise.reject(new Error("away"))),
    { message: "away" },
  );
  await kept.get(["a"], make);
  kept.forget();
  await kept.get(["a"], make);

  assert.equal(made.count, 2);
});
