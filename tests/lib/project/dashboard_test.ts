import assert from "node:assert/strict";
import { readDashboard } from "../../../lib/project/dashboard.ts";
import { PROJECT_SQL } from "../../harness/platform.ts";

const HEADER = `-- Record: fact_payment.
-- Time: payment_date.
`;
const SELECT = "\nselect * from fact_payment cross join as_of;\n";

function read(text: string, settings?: string) {
  return readDashboard({
    models: PROJECT_SQL.models,
    dashboard: [{ name: "money_in", text: text + SELECT }],
    dashboardSettings: settings,
  });
}

function problemsOf(text: string, settings?: string): string {
  try {
    read(text, settings);
  } catch (error) {
    return String(error);
  }
  return "";
}

Deno.test("readDashboard() takes a count, a card and a name where none are given", () => {
  const { name, period, subjects: [subject] } = read(HEADER);

  assert.equal(name, "Dashboard");
  assert.equal(period, "12m");
  assert.deepEqual(subject?.measures, [{ name: "records", unit: "count" }]);
  assert.deepEqual(subject?.cards, [{ name: "money_in", title: "Money in" }]);
  assert.deepEqual(subject?.key, ["payment_id"]);
  assert.equal(subject?.isOfDay, true);
  assert.deepEqual(subject?.others, []);
  assert.equal(
    subject?.select,
    "select * from fact_payment cross join as_of",
  );
});

Deno.test("readDashboard() says what a header lacks or has wrong", () => {
  for (
    const [text, found] of [
      ["", /does not say whose records it selects/],
      ["", /does not say when/],
      ["-- Record: dim_staff.\n-- Time: a.\n", /whose records/],
      [`${HEADER}-- Measures:\n--   value: cash\n`, /value: cash, which is/],
      [
        `${HEADER}-- Measures:\n--   value: money by currency\n`,
        /money by currency, which is/,
      ],
      [
        `${HEADER}-- Dimensions:\n--   a: b -> dim_none.name\n`,
        /a: b -> dim_none.name, which is not of the form/,
      ],
      [`${HEADER}-- Dimension:\n--   a\n`, /did you mean Dimensions\?/],
      [`${HEADER}-- Due: a.\n-- Due: a.\n`, /has Due twice/],
      [`${HEADER}-- Dimensions:\n--   view\n`, /"view" can't be the name/],
      [`${HEADER}-- Dimensions:\n--   a\n--   a: b\n`, /name of two/],
      [
        `${HEADER}-- Dimensions:\n--   a: b, within c\n`,
        /a is within c, which is no dimension/,
      ],
      [`${HEADER}-- Stacked by: state is a, b.\n`, /not of the form `state is/],
      [`${HEADER}-- Due: a, b.\n`, /Due: a, b, which is no column/],
      [`${HEADER}-- Due: a.\n`, /not which records are late/],
      [
        `${HEADER}-- Dimensions:\n--   ageing\n-- Stacked by: ageing is a.\n-- Due: a.\n`,
        /"ageing" is the name of two/,
      ],
    ] as const
  ) {
    assert.match(problemsOf(text), found, text);
  }
});

Deno.test("readDashboard() says what is wrong with the settings", () => {
  for (
    const [settings, found] of [
      ["[]", /it is no JSON object/],
      ["{", /it is no JSON object/],
      ['{"colour": "red"}', /"colour" is none of name, /],
      ['{"name": 1}', /"name" is no text/],
      ['{"timeZone": "Mars"}', /"timeZone" is "Mars"/],
      ['{"period": "3m"}', /"period" is neither/],
      ['{"order": ["none"]}', /no file is called none/],
    ] as const
  ) {
    assert.match(problemsOf(HEADER, settings), found, settings);
  }
});
