import { ConfigError } from "../errors.ts";
import { LOCK_TIMEOUT } from "../postgres/postgres.ts";
import type { PostgresSettings } from "../settings/config.ts";
import type { StageContext } from "../stage.ts";

/**
 * How to reach the warehouse; throws a `ConfigError` if that is not configured.
 */
export function warehouseOf({ config }: StageContext): PostgresSettings {
  if (config.warehouse !== undefined) return config.warehouse;
  throw new ConfigError(["WAREHOUSE_URL is missing"]);
}

/** The settings of a transaction that loads. */
export const LOAD_SETTINGS = {
  lock_timeout: LOCK_TIMEOUT,
  maintenance_work_mem: "256MB",
  work_mem: "64MB",
  jit: "off",
  // With this, a policy that hides rows is an error.
  row_security: "off",
};
