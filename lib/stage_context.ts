import type { Logger } from "@logtape/logtape";
import { createProgress } from "./cli/progress.ts";
import { checkSourceNames } from "./project/source_names.ts";
import { createRunId, RESOURCES, type StageContext } from "./stage.ts";

/**
 * A stage's context with the real clock and resources. Throws a `ConfigError`
 * if the settings make two tables of the contract the same one of the source.
 */
export function stageContext(
  given: Pick<StageContext, "config" | "sql" | "log" | "signal"> & {
    /** Shows a line in place of the one before; undefined off a terminal. */
    show: ((line: string) => void) | undefined;
  },
): StageContext {
  const { show, ...rest } = given;
  checkSourceNames(rest.sql.tables, rest.config);
  return {
    ...rest,
    resources: RESOURCES,
    progress: createProgress({
      show,
      report: (figures) =>
        rest.log.info("{what}: {rows} rows so far", { ...figures }),
      nowMs: () => performance.now(),
    }),
    clock: () => new Date(),
    newRunId: () => createRunId(new Date()),
  };
}

/** The context of one stage: its events carry the stage's name. */
export function forStage(
  context: StageContext,
  stage: string,
): StageContext & { log: Logger } {
  return { ...context, log: context.log.getChild(stage) };
}
