/** What a coordinator's own interface says about a statement that it runs. */
export interface TrinoTask {
  /** The name of its node. */
  node: string;
  state: string;
  /** Pieces of work: of the files that it reads, and of what it passes on. */
  splits: number;
  /** Rows that it read, from files and from other tasks. */
  rows: number;
}

interface Answer {
  error?: { message: string };
  columns?: { name: string }[];
  data?: unknown[][];
  nextUri?: string;
}

interface Stage {
  tasks: {
    taskStatus: { nodeId: string; state: string };
    stats: { totalDrivers: number; processedInputPositions: number };
  }[];
  subStages: Stage[];
}

const WATCHER = { "X-Trino-User": "watcher" };

/** Rows, and the names of their columns. */
export interface TrinoRows {
  columns: string[];
  rows: unknown[][];
}

/**
 * The rows of a query, as a person who watches the server asks for them. A
 * table without a schema is one of `names`.
 */
export async function trinoRows(
  origin: string,
  sql: string,
  names: { catalog: string; schema: string } | undefined = undefined,
): Promise<TrinoRows> {
  let columns: string[] = [];
  const rows: unknown[][] = [];
  let answer: Answer | undefined = await ask(origin, "/v1/statement", {
    method: "POST",
    body: sql,
    headers: {
      ...WATCHER,
      "X-Trino-Time-Zone": "UTC",
      // Without it, moments are rounded to milliseconds.
      "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
      ...names === undefined ? {} : {
        "X-Trino-Catalog": names.catalog,
        "X-Trino-Schema": names.schema,
      },
    },
  });
  while (answer !== undefined) {
    if (answer.error !== undefined) {
      throw new Error(`${answer.error.message}: ${sql}`);
    }
    rows.push(...answer.data ?? []);
    columns = answer.columns?.map(({ name }) => name) ?? columns;
    if (answer.nextUri === undefined) return { columns, rows };
    answer = await ask(origin, answer.nextUri);
  }
  throw new Error(`Trino at ${origin} does not answer: ${sql}`);
}

/** The names of the nodes that the coordinator sees; none if it isn't up. */
export async function trinoNodes(origin: string): Promise<string[]> {
  const info = await ask<{ starting: boolean }>(origin, "/v1/info");
  if (info?.starting !== false) return [];
  try {
    const { rows } = await trinoRows(
      origin,
      "select node_id from system.runtime.nodes where state = 'active'",
    );
    return rows.map(([node]) => String(node)).sort();
  } catch {
    return [];
  }
}

/** The ids of the statements that begin so, in the order of their beginning. */
export async function trinoStatements(
  origin: string,
  options: { start: string; state?: string },
): Promise<string[]> {
  const { start, state } = options;
  const found: { queryId: string; state: string; query: string }[] =
    await ask(origin, "/v1/query") ?? [];
  return found
    .filter((one) =>
      one.query.startsWith(start) && (state ?? one.state) === one.state
    )
    .map(({ queryId }) => queryId).sort();
}

/** The tasks of a statement, on whatever node. */
export async function trinoTasks(
  origin: string,
  queryId: string,
): Promise<TrinoTask[]> {
  const info: { outputStage?: Stage } = await ask(
    origin,
    `/v1/query/${queryId}`,
  ) ?? {};
  return info.outputStage === undefined ? [] : tasksOf(info.outputStage);
}

function tasksOf({ tasks, subStages }: Stage): TrinoTask[] {
  return [
    ...tasks.map(({ taskStatus, stats }) => ({
      node: taskStatus.nodeId,
      state: taskStatus.state,
      splits: stats.totalDrivers,
      rows: stats.processedInputPositions,
    })),
    ...subStages.flatMap(tasksOf),
  ];
}

/** An answer of the coordinator; undefined if it isn't up. */
async function ask<Found>(
  origin: string,
  path: string,
  request: RequestInit = { headers: WATCHER },
): Promise<Found | undefined> {
  try {
    const response = await fetch(new URL(path, origin), request);
    if (response.ok) return await response.json();
    await response.body?.cancel();
  } catch {
    // Not up yet, or no more.
  }
  return undefined;
}
