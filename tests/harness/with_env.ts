/** Runs a test with variables set, or unset, and puts them back after it. */
export async function withEnv(
  variables: Record<string, string | undefined>,
  test: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(variables)
    .map((name) => [name, Deno.env.get(name)] as const);
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) Deno.env.delete(name);
    else Deno.env.set(name, value);
  };
  for (const [name, value] of Object.entries(variables)) set(name, value);
  try {
    await test();
  } finally {
    for (const [name, value] of before) set(name, value);
  }
}
