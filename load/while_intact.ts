/**
 * Does some work while files are being checked, and throws when they are found
 * not to be as they were written, before whatever the work throws: a damaged
 * file explains it.
 */
export async function whileIntact(
  intact: Promise<unknown>,
  work: () => Promise<void>,
): Promise<void> {
  const [, done] = await Promise.allSettled([intact, work()]);
  await intact;
  if (done.status === "rejected") throw done.reason;
}
