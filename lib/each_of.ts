/**
 * Runs the work for each item, `atOnce` of them side by side. An error ends its
 * lane; the first one is thrown once nothing runs any more.
 */
export async function eachOf<Item>(
  items: readonly Item[],
  options: { atOnce: number; work: (item: Item) => Promise<void> },
): Promise<void> {
  const left = items.values();
  const lanes = await Promise.allSettled(
    Array.from({ length: options.atOnce }, async () => {
      for (const item of left) await options.work(item);
    }),
  );
  for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
}
