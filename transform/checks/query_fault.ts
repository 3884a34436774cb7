import { messageOf, StageError } from "../../lib/errors.ts";
import { inShell } from "../../lib/in_shell.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { quarantinePath } from "../../lib/project/quarantine_file.ts";

/**
 * DuckDB's errors for a value that a query can't compute with: a failed cast, a
 * sum that is too large, a text that a function can't read.
 */
const FAULT = /^(Conversion|Out of Range|Invalid Input) Error/;

/** Whether a query of `sql/` failed at the values of some row. */
export function isQueryFault(error: unknown): boolean {
  return error instanceof Error && !(error instanceof StageError) &&
    FAULT.test(messageOf(error));
}

/** The error of a model whose query failed at some row of a batch. */
export function modelFault(
  error: unknown,
  { model, batch }: { model: ModelSql; batch: number },
): StageError {
  const repair = model.derivation === "join"
    ? "Repair the row in the source, then run all stages again"
    : `Repair the row in the source, then run \`./totesys extract --full=${
      inShell(model.reads.join(","))
    }\` and the other stages`;
  return new StageError(
    `Cannot make "${model.name}" in batch ${batch}: its query failed at a row: ${
      messageOf(error)
    }`,
    {
      subject: model.name,
      dataCheck: true,
      hint:
        `Nothing of the batch is committed. ${repair}; or let sql/models/${model.name}.sql handle such a value (\`try_cast\`, or a rule in sql/quarantine) and run transform once with --accept`,
      cause: error,
    },
  );
}

/**
 * The error of a model or a joined table whose rows of earlier batches can't be
 * read as the types that it has now: no row of the source is at fault.
 */
export function earlierFault(
  error: unknown,
  { name, batch }: { name: string; batch: number },
): StageError {
  return new StageError(
    `Cannot read earlier rows of "${name}" in batch ${batch}: they do not fit its columns' types now: ${
      messageOf(error)
    }`,
    {
      subject: name,
      hint:
        "Run `./totesys rebuild processed`, which makes all batches with these types, then `./totesys rebuild warehouse`; or change the types back",
      cause: error,
    },
  );
}

/** The error of a quarantine query that failed at some row of a batch. */
export function quarantineFault(error: unknown, table: string): StageError {
  return new StageError(
    `Cannot use the rule ${quarantinePath(table)}: it failed at a row: ${
      messageOf(error)
    }`,
    {
      subject: table,
      dataCheck: true,
      hint:
        "Let the query handle such a value (`try_cast`) and run transform once with --accept",
      cause: error,
    },
  );
}
