/** A file of the project that the dashboard serves unchanged. */
export interface ServedFile {
  /** Its path for the browser. */
  path: string;
  /** Its path in the project, and in the package. */
  file: string;
  type: string;
  cache: string;
  /** Whether it is served without signing in. */
  open?: boolean;
}

const TEXT = "charset=utf-8";
const SCRIPTS = [
  "address",
  "app",
  "batch",
  "batches",
  "board_sums",
  "boards",
  "card_rows",
  "cards",
  "changes",
  "charts",
  "company",
  "differences",
  "durations",
  "elements",
  "events",
  "failures",
  "filters",
  "formats",
  "headline",
  "marks",
  "measures",
  "months",
  "overview",
  "pipeline",
  "plot",
  "preview",
  "record",
  "rows",
  "state",
  "status",
  "strip",
  "strip_view",
  "svg",
  "time_machine",
  "times",
  "zoom",
];

/** The page's files. */
export const SERVED_FILES: readonly ServedFile[] = [
  {
    path: "/",
    file: "visualise/page/index.html",
    type: `text/html; ${TEXT}`,
    cache: "no-cache",
  },
  ...SCRIPTS.map((name) => ({
    path: `/${name}.js`,
    file: `visualise/page/${name}.js`,
    type: `text/javascript; ${TEXT}`,
    cache: "no-cache",
  })),
  {
    path: "/style.css",
    file: "visualise/page/style.css",
    type: `text/css; ${TEXT}`,
    cache: "no-cache",
    open: true,
  },
];
