/**
 * `lake_client.ts VERSION LAKE QUERY...`: attaches a lake by a DuckDB of that
 * version, and prints what the DuckDB calls itself and the rows of each query,
 * as a line of JSON each. Without a lake it only fetches the DuckDB.
 */
const [version, lake, ...queries] = Deno.args;
const { DuckDBInstance } = await import(`npm:@duckdb/node-api@${version}`);
const instance = await DuckDBInstance.create(":memory:");
const connection = await instance.connect();
const rows = async (sql: string) =>
  (await connection.runAndReadAll(sql)).getRowObjectsJson();
const [engine] = await rows("select version() as version");
console.log(JSON.stringify(engine));
if (lake !== undefined) {
  await connection.run(`attach '${lake}' as totes (read_only)`);
  for (const query of queries) console.log(JSON.stringify(await rows(query)));
}
Deno.exit(0);
