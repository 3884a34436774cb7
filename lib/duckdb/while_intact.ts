/**
 * Runs some work while files are being checked. Throws first when files are not
 * as they were written, since a damaged file explains the work's own error.
 */
export async function whileIntact(
  intact: Promise<unknown>,
  work: () => Promise<void>,
): Promise<void> {
  const [, done] = await Promise.allSettled([intact, work()]);
  await intact;
  if (done.status === "rejected") throw done.reason;
}
