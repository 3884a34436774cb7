import type { Company } from "./company.ts";
import type { Figures } from "./figures/figures.ts";
import type { Warehouse } from "./warehouse.ts";

/** Where answers come from. */
export interface Sources {
  company: Company;
  warehouse: Warehouse;
  figures: Figures;
}
