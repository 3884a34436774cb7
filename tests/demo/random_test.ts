import assert from "node:assert/strict";
import { Random } from "../../demo/random.ts";

Deno.test("Random repeats its numbers from the seed", () => {
  const numbers = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 5 }, () => random.fraction());
  };

  assert.deepEqual(numbers(1), numbers(1));
  assert.notDeepEqual(numbers(1), numbers(2));
});

Deno.test("Random chooses as often as the weights say", () => {
  const random = new Random(1);
  const choices = [{ weight: 0 }, { weight: 1 }, { weight: 3 }];
  const chosen = Array.from({ length: 4_000 }, () => random.weighted(choices));

  const counts = choices.map((choice) =>
    chosen.filter((one) => one === choice).length
  );

  assert.equal(counts[0], 0);
  assert(Math.abs((counts[2] ?? 0) - 3_000) < 150, `${counts}`);
});

Deno.test("Random.between() reaches both ends and goes no further", () => {
  const random = new Random(1);

  const found = new Set(
    Array.from({ length: 100 }, () => random.between(5, 7)),
  );

  assert.deepEqual([...found].toSorted(), [5, 6, 7]);
});
