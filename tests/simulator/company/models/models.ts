/** The company's models, in the order in which they are loaded. */
export const COMPANY_MODELS = [
  {
    name: "dim_device",
    kind: "dimension",
    derivation: "row",
    key: ["serial"],
    times: [],
  },
  {
    name: "dim_tariff",
    kind: "dimension",
    derivation: "row",
    key: ["state"],
    times: [],
  },
  {
    name: "dim_desk",
    kind: "dimension",
    derivation: "row",
    key: ["desk_id"],
    times: [],
  },
  {
    name: "dim_member",
    kind: "dimension",
    derivation: "join",
    key: ["member_id"],
    times: [],
  },
  {
    name: "dim_badge",
    kind: "dimension",
    derivation: "join",
    key: ["badge"],
    times: [],
  },
  {
    name: "fact_link",
    kind: "fact",
    derivation: "row",
    key: ["lower_id", "upper_id"],
    times: [],
    recordId: "link_record_id",
  },
  {
    name: "fact_visit",
    kind: "fact",
    derivation: "row",
    key: ["visited_on", "address"],
    times: [],
    recordId: "visit_record_id",
  },
] as const;
