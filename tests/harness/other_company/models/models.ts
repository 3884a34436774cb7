import type { ModelDeclaration } from "../../../../lib/model.ts";

/** The other company's models, in the order in which they are loaded. */
export const OTHER_MODELS: readonly ModelDeclaration[] = [
  {
    name: "dim_item",
    kind: "dimension",
    derivation: "row",
    key: ["sku"],
    times: [],
  },
  {
    name: "fact_stock",
    kind: "fact",
    derivation: "row",
    key: ["warehouse_code", "item_number"],
    times: [],
    recordId: "stock_record_id",
  },
  {
    name: "fact_reading",
    kind: "fact",
    derivation: "row",
    key: ["reading_id", "taken_on"],
    times: [],
    recordId: "reading_record_id",
  },
];
