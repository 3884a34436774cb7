import type { SqlFile } from "../../lib/project/project_sql.ts";
import pipeline from "./0001_pipeline.sql" with { type: "text" };
import views from "./0003_views.sql" with { type: "text" };
import analyst from "./0004_analyst.sql" with { type: "text" };
import verification from "./0005_verification.sql" with { type: "text" };
import verificationOfHistory from "./0006_verification_of_history.sql" with {
  type: "text",
};
import batchFiles from "./0007_batch_files.sql" with { type: "text" };
import stageWorkAndChecks from "./0008_stage_work_and_checks.sql" with {
  type: "text",
};
import makeViews from "./0010_make_views.sql" with { type: "text" };
import failure from "./0011_failure.sql" with { type: "text" };
import findingIdentity from "./0012_finding_identity.sql" with {
  type: "text",
};
import indexesOfAYear from "./0013_indexes_of_a_year.sql" with {
  type: "text",
};
import makeFunctionsAgain from "./0014_make_functions_again.sql" with {
  type: "text",
};
import indexOfSnapshotTimes from "./0015_index_of_snapshot_times.sql" with {
  type: "text",
};
import functionsInParallel from "./0017_functions_in_parallel.sql" with {
  type: "text",
};

/**
 * The migrations of the pipeline's own tables in a warehouse, for any company,
 * in order. A missing number was a company's migration, before these were
 * separated. Some no longer have the text that they had at first: two failed in
 * a schema whose name needs quotes, one named a file that was moved.
 */
export const ENGINE_SCHEMA: readonly SqlFile[] = [
  { name: "0001_pipeline", text: pipeline },
  {
    name: "0003_views",
    text: views,
    recordedAs:
      "2bbf187e676c68668d663b7848817c6516df6cd692758c6d63bc969835753b0a",
  },
  {
    name: "0004_analyst",
    text: analyst,
    recordedAs:
      "4a7814c33b530c6ef9edb8fed3d3061a55427eba53183e940fe9da331a8a266f",
  },
  { name: "0005_verification", text: verification },
  { name: "0006_verification_of_history", text: verificationOfHistory },
  { name: "0007_batch_files", text: batchFiles },
  { name: "0008_stage_work_and_checks", text: stageWorkAndChecks },
  { name: "0010_make_views", text: makeViews },
  { name: "0011_failure", text: failure },
  { name: "0012_finding_identity", text: findingIdentity },
  {
    name: "0013_indexes_of_a_year",
    text: indexesOfAYear,
    recordedAs:
      "6316ff92e862f9c29820200ee3b3cd6612f5f64401cea5081c27f5345e0b84e8",
  },
  { name: "0014_make_functions_again", text: makeFunctionsAgain },
  { name: "0015_index_of_snapshot_times", text: indexOfSnapshotTimes },
  { name: "0017_functions_in_parallel", text: functionsInParallel },
];
