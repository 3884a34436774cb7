import { withFailureNote } from "../batches/failure_note.ts";
import type { StageContext, StageResult } from "../stage.ts";
import { forStage } from "../stage_context.ts";

/** Runs a stage under its own name; if it fails, it leaves a note. */
export function runStage(
  context: StageContext,
  name: StageResult["stage"],
  run: (stage: StageContext) => Promise<StageResult>,
): Promise<StageResult> {
  return withFailureNote(forStage(context, name), name, run);
}
