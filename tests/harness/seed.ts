/** The seed that TEST_SEED gives, to repeat a test that failed; else a new one. */
export function newSeed(): number {
  return Number(
    Deno.env.get("TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0],
  );
}
