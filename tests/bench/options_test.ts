import assert from "node:assert/strict";
import { readOptions } from "../../bench/options.ts";

const GATE = ["--against", "plain", "--at-most"];

Deno.test("the bench's options are a million orders, once, without a limit", () => {
  const options = readOptions([]);

  assert.deepEqual(options, {
    orders: 1_000_000,
    questions: false,
    repeats: 1,
    atMost: Infinity,
  });
});

Deno.test("the bench's gate has its limit and its peers", () => {
  const { peers, repeats, atMost } = readOptions([
    ...GATE,
    "2",
    "--repeats",
    "3",
  ]);

  assert.deepEqual({ peers, repeats, atMost }, {
    peers: ["plain"],
    repeats: 3,
    atMost: 2,
  });
});

const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["repeats that are no number", [...GATE, "2", "--repeats", "x"], /--repeats/],
  ["no repeats", [...GATE, "2", "--repeats", "0"], /--repeats is "0"/],
  ["no orders", ["--orders", "0"], /--orders is "0"/],
  ["a limit that is no number", [...GATE, "abc"], /--at-most is "abc"/],
  ["an empty limit", [...GATE, ""], /--at-most is ""/],
  [
    "a limit beside no command",
    ["--against", "typo", "--at-most", "2"],
    /--at-most has nothing to compare with/,
  ],
  [
    "a limit beside itself",
    ["--against", "ours", "--at-most", "2"],
    /--at-most has nothing to compare with/,
  ],
  ["a limit of stages", ["--at-most", "2"], /nothing to compare with/],
  ["an option that isn't there", ["--at-least", "2"], /--at-least/],
];

for (const [name, args, message] of WRONG) {
  Deno.test(`the bench refuses ${name}`, () => {
    assert.throws(() => readOptions(args), { name: "ConfigError", message });
  });
}
