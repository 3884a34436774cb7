import assert from "node:assert/strict";
import { join } from "node:path";
import { openDuckDb } from "../../lib/duckdb.ts";
import { quoteText } from "../../lib/postgres.ts";
import type { ModelSql } from "../../lib/project_sql.ts";
import { inFolder } from "../harness/in_folder.ts";
import {
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
  type ZoneKind,
} from "../harness/platform.ts";
import { BUCKET } from "../harness/s3.ts";
import { fillSmall } from "../harness/small_source.ts";

/** What DuckDB says of what it may not reach, or doesn't have. */
const REFUSED =
  /Permission Error|configuration has been locked|disabled (by|through) configuration|Displaying unredacted secrets is disabled|getenv does not exist/;
