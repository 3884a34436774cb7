// The view of the business: figures, charts, and the rows behind them.
import { byMonth, draw, rank } from "./charts.js";
import { openHistory } from "./changes.js";
import { $, make, refill, tableOrWords } from "./elements.js";
import { rounded, shown } from "./formats.js";
import { filters, get, shownBatch, tell } from "./state.js";

/** The facts behind charts, by their names in addresses. */
const FACTS = {
  sales: "sales-order",
  purchases: "purchase-order",
  payments: "payment",
};
/** Bar charts of the largest sales and purchases: fact, grouping, title. */
const RANKINGS = [
  ["sales", "counterparty", "Sales by counterparty"],
  ["sales", "country", "Sales by country"],
  ["sales", "department", "Sales by department"],
  ["sales", "staff", "Sales by staff"],
  ["sales", "design", "Sales by design"],
  ["purchases", "counterparty", "Purchases by counterparty"],
  ["purchases", "country", "Purchases by country"],
  ["purchases", "department", "Purchases by department"],
  ["purchases", "staff", "Purchases by staff"],
];
/** Bar charts of the largest payments, one for each state. */
const PAYMENT_STATES = {
  overdue: "Overdue payments by counterparty",
  due: "Payments due by counterparty",
  paid: "Payments made by counterparty",
};
let overview = null;
let rowsAskedFor = 0;

/** Fetches the figures; returns a function that shows them. */
export async function readBusiness(signal) {
  const batch = shownBatch();
  const chosen = filters();
  const answer = await get(
    `api/overview/${batch}?${new URLSearchParams(chosen)}`,
    signal,
  );
  return {
    batch,
    snapshotTime: answer.snapshot_time,
    show: () => {
      overview = { ...answer, batch, filters: chosen };
      showBusiness();
    },
  };
}

/** Shows the figures fetched last, in the chosen currency. */
export function showBusiness() {
  if (overview === null) return;
  const totals = (fact, by) => overview[fact][by] ?? [];
  const sales = totals("sales", "month");
  const purchases = totals("purchases", "month");
  const payments = totals("payments", "month");
  const currencies = [
    ...new Set(
      [...sales, ...purchases, ...payments].map((row) => row.currency),
    ),
  ].sort();
  offerFilters(currencies);
  showCards(currencies, { sales, purchases, payments });
  drawMonths({ sales, purchases, payments });
  drawRankings(totals);
}

function offerFilters(currencies) {
  const select = $("currency");
  const chosen = select.value;
  // A chosen currency stays chosen even if it has no figures.
  const offered = chosen === "" || currencies.includes(chosen)
    ? currencies
    : [...currencies, chosen];
  refill(
    select,
    make("option", { value: "" }, "All"),
    ...offered.map((code) => make("option", { value: code }, code)),
  );
  select.value = chosen;
  refill(
    $("counterparties"),
    ...overview.counterparties.map((name) => make("option", { value: name })),
  );
}

/** The rows of the chosen currency. */
function ofCurrency(rows) {
  const currency = $("currency").value;
  return rows.filter((row) => currency === "" || row.currency === currency);
}

function showCards(currencies, { sales, purchases, payments }) {
  const sum = (rows, column) =>
    rows.reduce((total, row) => total + Number(row[column]), 0);
  const chosen = $("currency").value;
  const cards = [];
  // Different currencies are never added up.
  for (
    const code of currencies.filter((one) => chosen === "" || one === chosen)
  ) {
    const own = (rows) => rows.filter((row) => row.currency === code);
    cards.push(
      [`Sales, ${code}`, sum(own(sales), "value")],
      [`Purchases, ${code}`, sum(own(purchases), "value")],
    );
    // For all currencies there would be too many cards: a chart has them.
    if (chosen === "") continue;
    // Receivables and payables are never added up.
    const overdue = own(payments).filter((row) => row.state === "overdue");
    for (const kind of new Set(overdue.map((row) => row.kind))) {
      cards.push([
        `Overdue ${kind.toLowerCase().replaceAll("_", " ")}, ${code}`,
        sum(overdue.filter((row) => row.kind === kind), "value"),
      ]);
    }
  }
  cards.push(["Sales orders", sum(ofCurrency(sales), "orders")]);
  $("cards").replaceChildren(
    ...cards.map(([name, value]) =>
      make(
        "div",
        { "data-card": name },
        make("dt", {}, name),
        make("dd", {}, rounded(value)),
      )
    ),
  );
}

function drawMonths(facts) {
  const sales = ofCurrency(facts.sales);
  const purchases = ofCurrency(facts.purchases);
  const payments = ofCurrency(facts.payments);
  const months = ["month", "currency"];
  drawFact("sales", { fact: "sales", keys: months }, {
    title: "Sales by month",
    rows: sales,
    type: "line",
    ...byMonth(sales, "value"),
  });
  drawFact("units", { fact: "sales", keys: months }, {
    title: "Units sold by month",
    rows: sales,
    type: "bar",
    ...byMonth(sales, "units"),
  });
  drawFact("purchases", { fact: "purchases", keys: months }, {
    title: "Purchases by month",
    rows: purchases,
    type: "line",
    ...byMonth(purchases, "value"),
  });
  const kinds = ["month", "kind", "currency"];
  drawFact("payments-by-month", { fact: "payments", keys: kinds }, {
    title: "Payments by month",
    rows: summed(payments, kinds),
    named: ({ kind, currency }) => `${kind}, ${currency}`,
    type: "line",
    ...byMonth(payments, "value"),
    series: "name",
  });
  const states = ["kind", "currency", "state"];
  drawFact("payments", { fact: "payments", keys: states }, {
    title: "Payments: paid, due, overdue",
    rows: summed(payments, states),
    named: ({ kind, currency }) => `${kind}, ${currency}`,
    type: "bar",
    stack: true,
    series: "state",
    value: "value",
  });
}

function drawRankings(totals) {
  for (const [fact, by, title] of RANKINGS) {
    // Two people may have the same name.
    const keys = by === "staff"
      ? [by, "department", "currency"]
      : [by, "currency"];
    rank(`${fact}-by-${by}`, opening(fact, keys, title), {
      rows: ofCurrency(totals(fact, by)),
      name: (row) =>
        by === "staff" ? `${row.staff} (${row.department})` : row[by],
    });
  }
  const payments = ofCurrency(totals("payments", "counterparty"));
  const keys = ["counterparty", "kind", "currency", "state"];
  for (const [state, title] of Object.entries(PAYMENT_STATES)) {
    rank(`payments-${state}`, opening("payments", keys, title), {
      rows: payments.filter((row) => row.state === state),
      name: (row) => `${row.counterparty}, ${row.kind}`,
    });
  }
}

function drawFact(id, { fact, keys }, chart) {
  draw("charts", id, { ...opening(fact, keys, chart.title), ...chart });
}

/** Options of a chart whose figures open the fact's rows with the same keys. */
function opening(fact, keys, title) {
  return {
    title,
    batch: overview.batch,
    open: (row) => showRows({ fact, keys, title }, row).catch(tell),
  };
}

/** Adds up the rows that have the same keys. */
function summed(rows, keys) {
  const sums = new Map();
  for (const row of rows) {
    const id = JSON.stringify(keys.map((name) => row[name]));
    const sum = sums.get(id) ?? {
      ...Object.fromEntries(keys.map((name) => [name, row[name]])),
      payments: 0,
      value: 0,
    };
    sum.payments += Number(row.payments);
    sum.value += Number(row.value);
    sums.set(id, sum);
  }
  return [...sums.values()].map((sum) => ({
    ...sum,
    value: sum.value.toFixed(2),
  }));
}

/** Shows the rows behind a figure in a dialog. */
async function showRows({ fact, keys, title }, row) {
  rowsAskedFor += 1;
  const turn = rowsAskedFor;
  const chosen = Object.fromEntries(keys.map((name) => [name, row[name]]));
  const asked = new URLSearchParams({ ...overview.filters, ...chosen });
  const { matching, rows } = await get(
    `api/rows/${fact}/${overview.batch}?${asked}`,
  );
  if (turn !== rowsAskedFor) return;
  const count = rows.length < matching
    ? `the first ${rounded(rows.length)} of ${rounded(matching)}`
    : rounded(matching);
  $("rows-title").textContent = `${title}: ${
    keys.map((name) => shown(row[name])).join(", ")
  }, ${count}`;
  $("rows-list").replaceChildren(
    tableOrWords("Rows", rows, "No rows.", {
      label: "History",
      act: (one) => {
        $("rows").close();
        // The first column of a fact's rows is the key.
        openHistory(FACTS[fact], Object.values(one)[0]);
      },
    }),
  );
  if (!$("rows").open) $("rows").showModal();
}
