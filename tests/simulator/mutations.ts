/** One replacement in a file of the project. */
export interface Edit {
  file: string;
  /** Stands there exactly once. */
  find: string;
  replace: string;
}

/** A way of doing it wrong that the simulator must notice. */
export interface Mutation {
  name: string;
  /** A history that is known to notice it: the first that is tried. */
  seed: number;
  /** What it breaks, as the simulator says it. */
  finds: RegExp;
  /** All edits but the last prepare it only, and break nothing. */
  isPrepared?: true;
  edits: readonly Edit[];
}

const WATERMARK: Omit<Edit, "replace"> = {
  file: "extract/plan_reads.ts",
  find: `unshippedSql: unshippedSql({
        watermark: BigInt(previous?.source.fence ?? 0),
        shipped: previous?.source.shipped ?? [],
        nextId: snapshot.nextId,
      }),`,
};

/** Models with a row for each source row, and how their SQL ends. */
const NUMBERED = [
  {
    model: "fact_sales_order",
    key: "sales_order_id",
    last: "    agreed_delivery_location_id",
  },
  {
    model: "fact_purchase_order",
    key: "purchase_order_id",
    last: "    agreed_delivery_location_id",
  },
  {
    model: "fact_payment",
    key: "payment_id",
    last: "    cast(payment_date as date) as payment_date",
  },
  { model: "dim_design", key: "design_id", last: "    file_name" },
  {
    model: "dim_transaction",
    key: "transaction_id",
    last: "    purchase_order_id",
  },
  { model: "dim_location", key: "location_id", last: "    phone" },
];
const KEYS = JSON.stringify(NUMBERED.map(({ key }) => key));

/** Lake or warehouse held something else than the source did. */
const CONTENT =
  /a reader of|as of batch|now: |history of|batches \d+ and \d+ hold/;

/** The well-known mistakes, made in the project's own code. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: "rows are found by last_updated, not by the watermark",
    seed: 1,
    finds: CONTENT,
    edits: [
      {
        ...WATERMARK,
        replace: `unshippedSql: before?.mark
        ? \`last_updated > '\${before.mark}'\` : "true",`,
      },
      {
        file: "extract/read_table.ts",
        find: "    identity: table.identity,\n",
        replace: `    identity: table.identity,
    mark: await snapshot.use(async (client) => (await client.query(
      \`select max(last_updated)::text as mark from \${table.from}\`,
    )).rows[0].mark),
`,
      },
    ],
  },
  {
    name: "rows are found by visibility in the snapshot before",
    seed: 6,
    finds: CONTENT,
    edits: [
      {
        ...WATERMARK,
        replace: `unshippedSql: previous === undefined
        ? "true"
        : \`not pg_visible_in_snapshot(\${writerSql(snapshot.nextId)}
          ::text::xid8, '\${previous.source.seen}'::pg_snapshot)\`,`,
      },
      {
        file: "extract/plan_reads.ts",
        find: "{ unshippedSql } from",
        replace: "{ unshippedSql, writerSql } from",
      },
      {
        file: "extract/next_source_state.ts",
        find: "    nextId: String(nextId),\n",
        replace: "    nextId: String(nextId), seen: snapshot.seen,\n",
      },
      {
        file: "extract/snapshot.ts",
        find: '    time: state.snapshot_time ?? "",\n',
        replace:
          '    time: state.snapshot_time ?? "", seen: state.snapshot_text,\n',
      },
      {
        file: "extract/snapshot.sql",
        find: "    pg_export_snapshot() as snapshot_id,\n",
        replace: `    pg_export_snapshot() as snapshot_id,
    pg_current_snapshot()::text as snapshot_text,
`,
      },
    ],
  },
  {
    name: "versions are ordered by transaction id, not by batch",
    seed: 21,
    finds: CONTENT,
    isPrepared: true,
    edits: [
      {
        file: "extract/shipped_rows.ts",
        find: '    return `select ${whole.join(", ")} from ',
        replace:
          '    return `select ${whole.join(", ")}, xmin::text::bigint as _xid from ',
      },
      {
        file: "extract/shipped_rows.ts",
        find: "[...names, FAULT_COLUMN] : names;",
        replace: '[...names, FAULT_COLUMN] : [...names, "_xid"];',
      },
      {
        file: "transform/tables/land_table.ts",
        find: 'select ${typed.join(", ")}, ',
        replace: 'select ${typed.join(", ")}, cast(_xid as bigint) as _xid, ',
      },
      {
        file: "transform/tables/land_table.ts",
        find: "as select ${columns}\n    from arrived",
        replace: "as select ${columns}, _xid\n    from arrived",
      },
      {
        file: "lib/models/empty_relation.ts",
        find: "return emptyModelSql(columns);",
        replace:
          'return emptyModelSql([...columns, { name: "_xid", type: "bigint" }]);',
      },
      ...NUMBERED.map(({ model, last }): Edit => ({
        file: `examples/totesys/sql/models/${model}.sql`,
        find: `${last}\nfrom changed.`,
        replace: `${last},\n    _xid\nfrom changed.`,
      })),
      {
        file: "lib/duckdb/version_intervals.ts",
        find: "select * exclude (batch, snapshot_time)",
        replace: "select * exclude (batch, snapshot_time, _order)",
      },
      {
        file: "lib/duckdb/version_intervals.ts",
        find: "    from ${versions}\n",
        replace: `    from (select *, \${${KEYS}.includes(key[0])
      ? \`coalesce(_xid, max(_xid) over (partition by \${key[0]} order by batch
        rows between unbounded preceding and current row), 0) as _order
        from (select * from \${versions}
          union all by name select cast(null as bigint) as _xid where false)\`
      : \`0 as _order from \${versions}\`})
`,
      },
      {
        file: "lib/duckdb/version_intervals.ts",
        find: "order by batch)`",
        replace: "order by _order, batch)`",
      },
    ],
  },
  {
    name: "data files are named without the run's id",
    seed: 1,
    finds: /extract failed in a run without faults/,
    edits: [{
      file: "lib/batches/batch_log.ts",
      find: "${batchName(batch)}/${runId}-${part}",
      replace: "${batchName(batch)}/${part}",
    }],
  },
  {
    name: "the manifest is written before its files",
    seed: 1,
    finds: /transform failed in a run without faults/,
    edits: [
      {
        file: "extract/copy_to_zone.ts",
        find:
          "const bytes = await zone.write(key, joined(head, pieces), { signal });",
        replace: `const parts: Uint8Array[] = [];
  for await (const piece of joined(head, pieces)) {
    parts.push(Uint8Array.from(piece));
  }
  ((zone as any).deferred ??= []).push(() =>
    zone.write(key, ReadableStream.from(parts) as any, { signal }));
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);`,
      },
      {
        file: "extract/extract.ts",
        find: "    const won = await batches.commit(manifest);\n",
        replace: `    const won = await batches.commit(manifest);
    for (const write of (zone as any).deferred ?? []) await write();
`,
      },
    ],
  },
  {
    name: "the ledger is written outside the transaction",
    seed: 2,
    finds: new RegExp(
      `load failed in a run without faults|${CONTENT.source}`,
    ),
    edits: [
      {
        file: "load/load_pending.ts",
        find: "    await enterBatches(client, manifests);\n  });\n",
        replace: "  });\n",
      },
      {
        file: "load/load_pending.ts",
        find: "  progress.begin(`load ${nameOf(manifests)}`, { rows });\n",
        replace: `  progress.begin(\`load \${nameOf(manifests)}\`, { rows });
  await enterBatches(client, manifests);
  await client.query("commit; begin");
`,
      },
    ],
  },
  {
    name: "deletes are not looked for",
    seed: 2,
    finds: CONTENT,
    edits: [{
      file: "extract/find_deletes.ts",
      find: "    if (before.length === 0) continue;\n",
      replace: "    if (before.length >= 0) continue;\n",
    }],
  },
  {
    name: "keys are not looked at before the commit",
    seed: 2,
    finds: new RegExp(`load failed in a run without faults|${CONTENT.source}`),
    edits: [{
      file: "transform/checks/broken_rule.ts",
      find: "  const columns = neverNull(checked);\n",
      replace: "  const columns = neverNull(checked);\n" +
        "  if (columns.length > 0) return undefined;\n",
    }],
  },
  {
    name: "folders of CSV files are read as columns",
    seed: 2,
    finds: CONTENT,
    edits: [{
      file: "lib/csv/read_csv.ts",
      find: "hive_partitioning = false",
      replace: "hive_partitioning = true",
    }],
  },
  {
    name: "what changed in a joined table is not read again",
    seed: 6,
    finds: CONTENT,
    edits: [{
      file: "transform/tables/table_state.ts",
      find: "  if (changes.length === 0) return rows;\n",
      replace: "  if (changes.length >= 0) return rows;\n",
    }],
  },
  {
    name:
      "rows that another table's change reaches are left out where both change",
    seed: 2,
    finds: CONTENT,
    edits: [{
      file: "transform/models/affected_rows.ts",
      find: "    .filter(([use]) => changed.has(use.table))\n",
      replace: `    .filter(([use]) => use === driver ||
      changed.has(use.table) && !changed.has(table.name))\n`,
    }],
  },
  {
    name: "a merge loses the older of two versions",
    seed: 1,
    finds: CONTENT,
    edits: [
      {
        file: "transform/files/write_merged.ts",
        find: "  const versions = readParquetSql(zone, merge);\n",
        replace: `  const versions = \`(from \${readParquetSql(zone, merge)}
      qualify row_number() over (
        partition by \${quoteNames(key)} order by batch desc) = 1)\`;
`,
      },
      {
        file: "transform/files/write_merged.ts",
        find: "  if (before.rows !== listed) {\n",
        replace:
          "  if (before.rows > 0) return;\n  if (before.rows !== listed) {\n",
      },
      {
        file: "lib/batches/live_files.ts",
        find: "    if (listed === expected) continue;\n",
        replace: "    if (listed !== undefined) continue;\n",
      },
    ],
  },
  {
    name: "a sweep takes the files that the newest batch lists",
    seed: 2,
    finds: /is missing|No files found|failed in a run without faults/,
    edits: [{
      file: "sweep/listed_files.ts",
      find: "        ...list?.files ?? [],\n",
      replace: "",
    }],
  },
  {
    name: "a sweep heeds no lake but the newest",
    seed: 9,
    finds: /No files found/,
    edits: [{
      file: "sweep/listed_files.ts",
      find: "  const from = Math.max(1, firstYoung - 1);\n",
      replace: "  const from = Math.max(highest, firstYoung - 1);\n",
    }],
  },
];
