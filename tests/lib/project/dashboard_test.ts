import assert from "node:assert/strict";
import { readDashboard } from "../../../lib/project/dashboard.ts";
import { PROJECT_SQL } from "../../harness/platform.ts";

const HEADER = `-- Record: fact_payment.
-- Time: payment_date.
`;
const SELECT = "\nselect * from fact_payment cross join as_of;\n";

function read(text: string, settings?: string, select = SELECT) {
  return readDashboard({
    models: PROJECT_SQL.models,
    dashboard: [{ name: "money_in", text: text + select }],
    dashboardSettings: settings,
  });
}

function problemsOf(
  text: string,
  settings?: string,
  select = SELECT,
): string {
  try {
    read(text, settings, select);
  } catch (error) {
    return String(error);
  }
  return "";
}

Deno.test("readDashboard() has defaults for measures, cards and names", () => {
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

Deno.test("readDashboard() tells whether a record depends on other rows", () => {
  const seesOthers = (select: string) =>
    read(HEADER, undefined, `\n${select}`).subjects[0]?.seesOthers;
  for (
    const select of [
      "select * from fact_payment",
      'select "f".*, (1 + 2) as three from "fact_payment" as "f"',
      "select *, -- over (select from fact_payment)\n ',' as c from fact_payment, as_of",
      "select * from as_of cross join fact_payment where paid is distinct from true and payment_id is not distinct from 1",
      "select extract(year from payment_date), substring('a' from 1), 'x' from fact_payment",
      "select round(value / 2, 2), value::numeric(10, 2), coalesce(a, (b)) from fact_payment where a in (1, 2)",
      "select date_trunc('month', payment_date), age(as_of.day, payment_date) from fact_payment cross join as_of",
    ]
  ) {
    assert.equal(seesOthers(select), false, select);
  }
  for (
    const select of [
      "select *, row_number() over (order by payment_id) from fact_payment",
      "select *, (select count(*) from fact_payment) from fact_payment",
      "with f as (select * from fact_payment) select * from f",
      "select distinct on (counterparty_id) * from fact_payment",
      "select payment_id, max(payment_date) from fact_payment group by payment_id",
      "select * from fact_payment order by payment_date limit 10",
      "select a.* from fact_payment as a join fact_payment as b using (payment_id)",
      "select a.* from fact_payment as a, fact_payment as b",
      "select a.* from fact_payment as a, fact_payment_history as b",
      "select a.* from fact_payment as a left join public.other using (payment_id)",
      "select * from fact_payment join dim_currency using (currency_id)",
      "select min(payment_id) as payment_id, max(payment_date) from fact_payment",
      "select count(*) filter (where paid) as payment_id from fact_payment",
      "select *, our_total(counterparty_id) from fact_payment",
      "select *, own.round(counterparty_id) from fact_payment",
      'select *, "sum"(value) from fact_payment',
      "with f as (table fact_payment) select * from fact_payment where exists (table f)",
      "select *, from_batch = as_of.batch as is_new from fact_payment cross join as_of",
    ]
  ) {
    assert.equal(seesOthers(select), true, select);
  }
});

Deno.test("readDashboard() refuses a select that depends on the current time", () => {
  for (
    const [select, found] of [
      [
        "select * from fact_payment where payment_date < current_date",
        /it has current_date, which is not of the batch that is shown: use as_of.day/,
      ],
      ["select *, now() as n from fact_payment", /it has now, which/],
      [
        "select *, pg_catalog.now() as n from fact_payment",
        /it has now, which/,
      ],
      ['select *, "now"() as n from fact_payment', /it has now, which/],
      [
        "select coalesce(payment_date, 'today') as d from fact_payment",
        /it has 'today', which/,
      ],
      ...[
        "due in ('today', 'tomorrow')",
        "due is distinct from 'today'",
        "due >= ('today')",
        "case due when 'today' then true end",
        "due < timestamp(0) 'today'",
      ].map((where) =>
        [
          `select * from fact_payment where ${where}`,
          /it has 'today', which/,
        ] as const
      ),
      ["select *, Random() as n from fact_payment", /it has random, which/],
      [
        "select * from fact_payment as f where f.to_batch is null",
        /it reads to_batch, and fact_payment stands for what it held/,
      ],
      ['select "valid_to" from fact_payment', /it reads valid_to/],
      ["select *, 'now'::timestamp from fact_payment", /it has 'now', which/],
      ["select *, date 'Today' from fact_payment", /it has 'Today', which/],
      [
        "select * from fact_payment where payment_date < E'yesterday'",
        /it has E'yesterday', which/,
      ],
      ["select *, $$today$$::date from fact_payment", /it has 'today', which/],
      [
        "select *, '$$' as a, $t$\ntoday$t$::date, '$$' from fact_payment",
        /it has '\ntoday', which/,
      ],
      [
        "select *, cast(' today UTC' as timestamptz) from fact_payment",
        /it has ' today UTC', which/,
      ],
      [
        "select *, age((payment_date)) from fact_payment",
        /it has age, which/,
      ],
      ["select *, uuidv7() from fact_payment", /it has uuidv7, which/],
      [
        "select *, CURRENT_USER from fact_payment",
        /it has current_user, which/,
      ],
      [
        "select * from fact_payment tablesample system (10)",
        /it has tablesample, which/,
      ],
      ["select * from only fact_payment", /does not read fact_payment by/],
      ["select * from public.fact_payment", /does not read fact_payment by/],
      ["select * from fact_payment_current", /does not read fact_payment by/],
      ["select fact_payment.* from other", /does not read fact_payment by/],
    ] as const
  ) {
    assert.match(problemsOf(HEADER, undefined, `\n${select}`), found, select);
  }
  for (
    const select of [
      "select *, 'as of now()' as now, t.now from fact_payment as t",
      "select *, from_batch, valid_from from fact_payment -- current_date",
      "select *, 'due today' as state, 'now and then' as b from fact_payment",
      "select *, case when paid then 'today' else 'later' end as a, 'now' as b from fact_payment",
      "select * from fact_payment where state not in ('now'::text, 'later')",
      "select *, own.now() as n from fact_payment",
      "select *, $$it's current_date$$ as a from fact_payment",
      "select *, '$$' as a, paid as b, $$now$$ as c from fact_payment -- $$",
    ]
  ) {
    assert.equal(problemsOf(HEADER, undefined, `\n${select}`), "");
  }
});

Deno.test("readDashboard() reports what is missing or wrong in a header", () => {
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
        /a is within c, which isn't a dimension/,
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

Deno.test("readDashboard() reports wrong settings", () => {
  for (
    const [settings, found] of [
      ["[]", /it isn't a JSON object/],
      ["{", /it isn't a JSON object/],
      ['{"colour": "red"}', /"colour" is not one of name, /],
      ['{"name": 1}', /"name" isn't a text/],
      ['{"timeZone": "Mars"}', /"timeZone" is "Mars"/],
      ['{"period": "3m"}', /"period" is neither/],
      ['{"order": ["none"]}', /no file is called none/],
      ['{"cards": []}', /"cards" isn't an object/],
      ['{"cards": {"money_in": 1}}', /the card "money_in" isn't an object/],
      ['{"cards": {"money_in": {"goal": 1}}}', /"goal" is not one of title, /],
      ['{"cards": {"money_in": {"title": ""}}}', /the title .* isn't a text/],
      [
        '{"cards": {"money_out": {}}}',
        /no card is called money_out: .* money_in/,
      ],
      ...["1", "{}", '{"about": 1}', '{"atMost": -1}', '{"atMost": {}}'].map(
        (target) =>
          [
            `{"cards": {"money_in": {"target": ${target}}}}`,
            /the target of the card "money_in" is not of the form/,
          ] as const,
      ),
      [
        '{"cards": {"money_in": {"target": {"atMost": {"GBP": 1}}}}}',
        /the card money_in: its figure is not by currency/,
      ],
      ['{"labels": {"records": 1}}', /"labels" isn't an object with a text/],
      [
        '{"labels": {"none": "some"}}',
        /no measure or dimension is called none/,
      ],
      ['{"accent": "#0b62a8"}', /"accent" is not of the form/],
      ['{"accent": {"light": "blue"}}', /the accent's "light" is no colour/],
      [
        '{"accent": {"dark": "#0b62a8"}}',
        /can't be read well on #19212a: its contrast is 2\.[0-9], and 4\.5/,
      ],
    ] as const
  ) {
    assert.match(problemsOf(HEADER, settings), found, settings);
  }
});

Deno.test("readDashboard() gives cards their titles and targets", () => {
  const { labels, accent, subjects: [subject] } = read(
    `${HEADER}-- Measures:
--   value: money by currency
-- Dimensions:
--   currency: currency_id -> dim_currency.currency_code
`,
    JSON.stringify({
      cards: { money_in: { title: "Paid", target: { atLeast: { GBP: 10 } } } },
      labels: { value: "worth" },
      accent: { light: "#0b62a8", dark: "#6cb6f5" },
    }),
  );

  assert.deepEqual(subject?.cards, [{
    name: "money_in",
    title: "Paid",
    target: { bound: "atLeast", amount: { GBP: 10 } },
  }]);
  assert.deepEqual(labels, { value: "worth" });
  assert.deepEqual(accent, { light: "#0b62a8", dark: "#6cb6f5" });
});
