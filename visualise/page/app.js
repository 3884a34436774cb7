// The page of the dashboard. Everything that comes from the data is written as
// text; numbers are shown by the browser's locale.
// @ts-ignore: on disk it is not there; the server has it from the package
import * as echarts from "/echarts.js";

const $ = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
/** Okabe and Ito's colours, which colour-blind readers tell apart. */
const COLORS = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
];
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const number = {
  format: (value) => (Math.abs(value) < 10 ? small : whole).format(value),
};
/** For axes, where there is little room. */
const short = new Intl.NumberFormat(undefined, { notation: "compact" });
const time = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
});
const POLL_MS = 5_000;
const STALE_SECONDS = 1800;
const RANKED_MAX = 12;
const PROMISE_MINUTES = 30;
/** The facts behind charts, as addresses name them. */
const FACTS = {
  sales: "sales-order",
  purchases: "purchase-order",
  payments: "payment",
};
/** Who and what most was sold to, by and of, and the like; each a bar chart. */
const RANKINGS = [
  ["sales", "counterparty", "Sales by counterparty"],
  ["sales", "country", "Sales by country"],
  ["sales", "department", "Sales by department"],
  ["sales", "staff", "Sales by staff"],
  ["sales", "design", "Sales by design"],
  ["purchases", "counterparty", "Purchases by counterparty"],
  ["purchases", "country", "Purchases by country"],
  ["purchases", "staff", "Purchases by staff"],
];

const state = {
  newest: null,
  /** When the newest was asked for: it grows older from then on. */
  askedAt: 0,
  /** The batch that is shown; null: the newest, and so on with it. */
  batch: null,
  overview: null,
  /** What changed after this batch; null: the one before that is shown. */
  since: null,
  up: false,
  /** The batch that the figures of the business are of. */
  drawn: 0,
  /** Counts what was begun to bring the page up to date. */
  turn: 0,
};
const charts = new Map();

/** Makes an element; children are nodes or text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) {
      element.addEventListener(key.slice(2), value);
    } else element.setAttribute(key, value);
  }
  element.append(...children.map((child) => child ?? ""));
  return element;
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    const { message } = await answer.json().catch(() => ({}));
    throw new Error(message ?? `HTTP ${answer.status}`);
  }
  return await answer.json();
}

function shownBatch() {
  return state.batch ?? Number(state.newest?.batch ?? 0);
}

/** Shows an error until the next success. */
function tell(error) {
  $("problem").hidden = error === null;
  $("problem").textContent = error === null
    ? ""
    : `The figures could not be brought up to date: ${error.message}`;
}

/** Brings what is shown up to date. Of several at once, the last one shows. */
async function refresh() {
  state.turn += 1;
  const turn = state.turn;
  const isOld = () => turn !== state.turn;
  $("main").setAttribute("aria-busy", "true");
  try {
    const view = currentView();
    const newest = await get("/api/newest");
    if (isOld()) return;
    state.newest = newest;
    state.askedAt = Date.now();
    showStatus();
    $("empty").hidden = newest !== null;
    if (newest === null) return tell(null);
    showMachine();
    const batch = shownBatch();
    if (view === "business") {
      const overview = await get(
        `/api/overview/${batch}?${new URLSearchParams(filters())}`,
      );
      if (isOld()) return;
      state.overview = overview;
      state.drawn = batch;
      $("as-of").textContent = `as of ${shown(overview.snapshot_time)}`;
      showBusiness();
    } else if (view === "changes") {
      await showChanges(isOld);
    } else {
      await showPipeline();
    }
    if (isOld()) return;
    document.body.dataset.batch = String(batch);
    tell(null);
  } catch (error) {
    if (!isOld()) {
      tell(error);
      setTimeout(() => isOld() || refresh(), POLL_MS);
    }
  } finally {
    if (!isOld()) $("main").setAttribute("aria-busy", "false");
  }
}

function showStatus() {
  const age = state.newest === null
    ? 0
    : Number(state.newest.age_seconds) + (Date.now() - state.askedAt) / 1000;
  const stale = !state.up || age > STALE_SECONDS;
  $("status").dataset.state = stale ? "stale" : "live";
  $("status-text").textContent = !state.up
    ? "Not connected: the figures may be old"
    : age > STALE_SECONDS
    ? `Stale: the warehouse is ${number.format(age / 60)} minutes behind`
    : "Live";
}

function showMachine() {
  const last = Number(state.newest.batch);
  const slider = $("slider");
  slider.max = String(last);
  slider.disabled = false;
  if (state.batch === null) slider.value = String(last);
  $("batch").textContent = number.format(shownBatch());
  $("now").hidden = state.batch === null;
  $("as-of").textContent = state.batch === null
    ? `as of ${time.format(new Date(state.newest.snapshot_time))}`
    : "as it was then";
}

/** What is chosen of all that the server selects by. */
function filters() {
  return {
    from: $("from").value,
    to: $("to").value,
    counterparty: $("counterparty").value,
  };
}

/** Rows that the filters let through. */
function filtered(rows) {
  const currency = $("currency").value;
  const { from, to } = filters();
  return rows.filter((row) =>
    (currency === "" || row.currency === currency) &&
    (from === "" || row.month === undefined || row.month >= from) &&
    (to === "" || row.month === undefined || row.month <= to)
  );
}

function showBusiness() {
  const totals = (fact, by) => state.overview[fact][by] ?? [];
  const sales = totals("sales", "month");
  const purchases = totals("purchases", "month");
  const payments = totals("payments", "month");
  const currencies = [
    ...new Set(
      [...sales, ...purchases, ...payments].map((row) => row.currency),
    ),
  ].sort();
  const select = $("currency");
  const chosen = select.value;
  select.replaceChildren(
    make("option", { value: "" }, "All"),
    ...currencies.map((code) => make("option", { value: code }, code)),
  );
  // What was chosen stays so where it has no figure.
  if (chosen !== "" && !currencies.includes(chosen)) {
    select.append(make("option", { value: chosen }, chosen));
  }
  select.value = chosen;
  $("counterparties").replaceChildren(
    ...state.overview.counterparties.map((name) =>
      make("option", { value: name })
    ),
  );
  const sum = (rows, column) =>
    rows.reduce((total, row) => total + Number(row[column]), 0);
  const cards = [];
  // Never a sum of different currencies.
  for (
    const code of currencies.filter((one) =>
      select.value === "" || one === select.value
    )
  ) {
    const own = (rows) => filtered(rows).filter((row) => row.currency === code);
    cards.push(
      [`Sales, ${code}`, sum(own(sales), "value")],
      [`Purchases, ${code}`, sum(own(purchases), "value")],
    );
    // Of all currencies they would be too many: a chart has them.
    if (select.value === "") continue;
    // Never a sum of what is owed to us and by us.
    const overdue = own(payments).filter((row) => row.state === "overdue");
    for (const kind of new Set(overdue.map((row) => row.kind))) {
      cards.push([
        `Overdue ${kind.toLowerCase().replaceAll("_", " ")}, ${code}`,
        sum(overdue.filter((row) => row.kind === kind), "value"),
      ]);
    }
  }
  cards.push(["Sales orders", sum(filtered(sales), "orders")]);
  $("cards").replaceChildren(
    ...cards.map(([name, value]) =>
      make(
        "div",
        { "data-card": name },
        make("dt", {}, name),
        make("dd", {}, number.format(value)),
      )
    ),
  );
  const byMonth = (rows, column) => ({
    categories: [...new Set(rows.map((row) => row.month))].sort(),
    category: "month",
    series: "currency",
    value: column,
  });
  const sold = { fact: "sales", keys: ["month", "currency"] };
  draw("charts", "sales", {
    ...sold,
    title: "Sales by month",
    rows: filtered(sales),
    type: "line",
    ...byMonth(filtered(sales), "value"),
  });
  draw("charts", "units", {
    ...sold,
    title: "Units sold by month",
    rows: filtered(sales),
    type: "bar",
    ...byMonth(filtered(sales), "units"),
  });
  draw("charts", "purchases", {
    ...sold,
    fact: "purchases",
    title: "Purchases by month",
    rows: filtered(purchases),
    type: "line",
    ...byMonth(filtered(purchases), "value"),
  });
  draw("charts", "payments-by-month", {
    fact: "payments",
    keys: ["month", "kind", "currency"],
    title: "Payments by month",
    rows: summed(filtered(payments), ["month", "kind", "currency"]),
    named: ({ kind, currency }) => `${kind}, ${currency}`,
    type: "line",
    ...byMonth(filtered(payments), "value"),
    series: "name",
  });
  const states = summed(filtered(payments), ["kind", "currency", "state"]);
  draw("charts", "payments", {
    fact: "payments",
    keys: ["kind", "currency", "state"],
    title: "Payments: paid, due, overdue",
    rows: states,
    named: ({ kind, currency }) => `${kind}, ${currency}`,
    type: "bar",
    stack: true,
    series: "state",
    value: "value",
  });
  for (const [fact, by, title] of RANKINGS) {
    // Two people may have one name.
    const keys = by === "staff"
      ? [by, "department", "currency"]
      : [by, "currency"];
    rank(`${fact}-by-${by}`, { fact, keys, title }, {
      rows: filtered(totals(fact, by)),
      name: (row) =>
        by === "staff" ? `${row.staff} (${row.department})` : row[by],
    });
  }
  const overdue = filtered(totals("payments", "counterparty"))
    .filter(({ state }) => state === "overdue");
  rank("payments-by-counterparty", {
    fact: "payments",
    keys: ["counterparty", "kind", "currency", "state"],
    title: "Overdue payments by counterparty",
  }, { rows: overdue, name: (row) => `${row.counterparty}, ${row.kind}` });
}

/** Rows added up that have the same keys. */
function summed(rows, keys) {
  const sums = new Map();
  for (const row of rows) {
    const id = JSON.stringify(keys.map((name) => row[name]));
    const sum = sums.get(id) ??
      {
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

/**
 * Draws the first of what is ranked in each currency as bars, the largest on
 * top; the table has more of them. Currencies are not ranked against another.
 */
function rank(id, chart, { rows, name }) {
  const currencies = [...new Set(rows.map((row) => row.currency))].sort();
  const each = Math.ceil(RANKED_MAX / Math.max(1, currencies.length));
  const own = (code) => rows.filter((row) => row.currency === code);
  draw("charts", id, {
    ...chart,
    rows: currencies.flatMap((code) => own(code).slice(0, each)),
    table: currencies.flatMap(own),
    named: (row) => `${name(row)}, ${row.currency}`,
    type: "bar",
    across: true,
    series: "currency",
    value: "value",
  });
}

/**
 * Draws a chart in its card, or its rows as a table. Where `named` is given,
 * the chart's categories or series are names made of several columns, which the
 * table shows as they are.
 */
function draw(parent, id, { named, ...given }) {
  const chart = named === undefined ? given : {
    category: "name",
    table: given.rows,
    ...given,
    rows: given.rows.map((row) => ({ ...row, name: named(row) })),
  };
  if (chart.category === "name") {
    const names = [...new Set(chart.rows.map(({ name }) => name))];
    chart.categories = chart.across ? names.reverse() : names;
  }
  let card = document.querySelector(`[data-chart="${id}"]`);
  if (card === null) {
    const canvas = make("div", { class: "canvas", role: "img" });
    const table = scrolled(`${chart.title}: table`);
    table.hidden = true;
    const toggle = make("button", {
      type: "button",
      "aria-pressed": "false",
      onclick: () => {
        const asTable = table.hidden;
        table.hidden = !asTable;
        canvas.hidden = asTable;
        toggle.setAttribute("aria-pressed", String(asTable));
        charts.get(id)?.drawing.resize();
      },
    }, "Table");
    const csv = make(
      "button",
      { type: "button", onclick: () => save(id) },
      "CSV",
    );
    card = make(
      "article",
      { class: "chart", "data-chart": id },
      make(
        "header",
        {},
        make("h3", {}, chart.title),
        make("div", { class: "tools" }, toggle, csv),
      ),
      canvas,
      table,
    );
    $(parent).append(card);
    const drawing = echarts.init(canvas, null, { renderer: "canvas" });
    drawing.on("click", ({ name, seriesName }) => {
      const { chart } = charts.get(id);
      const row = chart.rows.find((one) =>
        one[chart.category] === name && one[chart.series] === seriesName
      );
      if (row !== undefined && chart.fact) showRows(chart, row).catch(tell);
    });
    charts.set(id, { drawing });
  }
  const entry = charts.get(id);
  entry.chart = chart;
  entry.rows = chart.table ?? chart.rows;
  const names = [...new Set(chart.rows.map((row) => row[chart.series]))].sort();
  const data = (name) =>
    chart.times
      ? chart.rows.map((row) => [row[chart.times], row[chart.value]])
      : chart.categories.map((category) => {
        const found = chart.rows.filter((row) =>
          row[chart.category] === category && row[chart.series] === name
        );
        return found.length === 0
          ? null
          : found.reduce((total, row) => total + Number(row[chart.value]), 0);
      });
  const ink = getComputedStyle(document.body).getPropertyValue("--muted");
  const values = {
    type: "value",
    axisLabel: { color: ink, formatter: (value) => short.format(value) },
    max: chart.limit && (({ max }) => Math.max(max, chart.limit)),
    splitLine: {
      lineStyle: {
        color: getComputedStyle(document.body).getPropertyValue("--line"),
      },
    },
  };
  const categories = {
    type: chart.times ? "time" : "category",
    data: chart.categories,
    axisLabel: {
      color: ink,
      hideOverlap: true,
      width: 140,
      overflow: "truncate",
    },
  };
  entry.series = names.map((name) => ({ name, data: data(name) }));
  entry.drawing.setOption({
    color: COLORS,
    animationDuration: 300,
    grid: { left: 8, right: 16, top: 36, bottom: 8, containLabel: true },
    legend: { type: "scroll", top: 0, textStyle: { color: ink } },
    // Rich text: a tooltip of HTML would need inline styles.
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      valueFormatter: (value) => value === null ? "–" : number.format(value),
    },
    xAxis: chart.across ? values : categories,
    yAxis: chart.across ? categories : values,
    series: entry.series.map((one) => ({
      ...one,
      type: chart.type,
      stack: chart.stack ? "all" : undefined,
      // Of each name there is one bar, which takes the place of all.
      barGap: chart.across ? "-100%" : undefined,
      connectNulls: true,
      markLine: chart.limit && {
        silent: true,
        symbol: "none",
        lineStyle: { color: ink, type: "dashed" },
        label: { color: ink, position: "insideEndTop", formatter: "promised" },
        data: [{ yAxis: chart.limit }],
      },
    })),
  }, { notMerge: true });
  const [canvas, table] = [
    card.querySelector(".canvas"),
    card.querySelector(".scroll"),
  ];
  canvas.setAttribute(
    "aria-label",
    `${chart.title}: ${names.join(", ")}. The button Table shows the figures.`,
  );
  table.replaceChildren(
    chart.rows.length === 0 ? make("p", {}, "Nothing here.") : tableOf(
      entry.rows,
      chart.fact === undefined ? undefined : {
        label: "Rows",
        act: (row) => showRows(chart, row).catch(tell),
      },
    ),
  );
}

/** A region of its own, for what may be wider than the page. */
function scrolled(label, ...children) {
  return make("div", {
    class: "scroll",
    tabindex: "0",
    role: "region",
    "aria-label": label,
  }, ...children);
}

/** The rows behind a figure, in a dialog. */
async function showRows({ fact, keys, title }, row) {
  const chosen = Object.fromEntries(keys.map((name) => [name, row[name]]));
  const asked = { ...filters(), ...chosen };
  const { matching, rows } = await get(
    `/api/rows/${fact}/${state.drawn}?${new URLSearchParams(asked)}`,
  );
  const shown = rows.length < matching
    ? `the first ${number.format(rows.length)} of ${number.format(matching)}`
    : number.format(matching);
  $("rows-title").textContent = `${title}: ${
    keys.map((name) => row[name]).join(", ")
  }, ${shown}`;
  const history = {
    label: "History",
    act: (one) => {
      $("rows").close();
      // A table of facts begins with the key.
      openHistory(FACTS[fact], Object.values(one)[0]);
    },
  };
  $("rows-list").replaceChildren(
    rows.length === 0
      ? make("p", {}, "No row.")
      : scrolled("Rows", tableOf(rows, history)),
  );
  if (!$("rows").open) $("rows").showModal();
}

/** As people read it: a time as their own, everything else as it is. */
function shown(value) {
  const text = String(value ?? "");
  return /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d[:.\d]*(Z|\+00)$/.test(text)
    ? time.format(new Date(text.replace(" ", "T").replace(/\+00$/, "Z")))
    : text;
}

/** Columns of figures, which are written as the reader's language does. */
const FIGURES = new Set([
  "begun",
  "bytes",
  "deletes",
  "differences",
  "ended",
  "extract_seconds",
  "findings",
  "load_seconds",
  "minutes",
  "orders",
  "payments",
  "rows",
  "seconds",
  "seconds_behind",
  "transform_seconds",
  "unit_price",
  "units",
  "value",
]);
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const isNumber = (value) => /^-?\d+(\.\d+)?$/.test(String(value ?? ""));

/** A table of rows; each may have a button. */
function tableOf(rows, action) {
  const columns = Object.keys(rows[0]);
  const align = (name) =>
    FIGURES.has(name) || isNumber(rows[0][name]) ? "number" : "";
  const button = (row) =>
    make(
      "td",
      {},
      make(
        "button",
        { type: "button", onclick: () => action.act(row) },
        action.label,
      ),
    );
  return make(
    "table",
    {},
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        ...columns.map((name) =>
          make(
            "th",
            { scope: "col", class: align(name) },
            name.replaceAll("_", " "),
          )
        ),
        ...(action ? [make("td")] : []),
      ),
    ),
    make(
      "tbody",
      {},
      ...rows.map((row) =>
        make(
          "tr",
          {},
          ...columns.map((name) =>
            make(
              "td",
              { class: align(name) },
              FIGURES.has(name) && isNumber(row[name])
                ? exact.format(row[name])
                : shown(row[name]),
            )
          ),
          ...(action ? [button(row)] : []),
        )
      ),
    ),
  );
}

/** Saves a chart's rows; what a spreadsheet would take for a formula is not one. */
function save(id) {
  const { rows } = charts.get(id);
  const columns = Object.keys(rows[0] ?? {});
  const field = (value) => {
    const text = String(value ?? "");
    const harmless = /^[=+\-@\t\r]/.test(text) && !isNumber(text)
      ? `'${text}`
      : text;
    return `"${harmless.replaceAll('"', '""')}"`;
  };
  const lines = [
    columns,
    ...rows.map((row) => columns.map((name) => row[name])),
  ].map((line) => line.map(field).join(","));
  const url = URL.createObjectURL(
    new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }),
  );
  const link = make("a", {
    href: url,
    download: `${id}-batch-${state.drawn || shownBatch()}.csv`,
  });
  link.click();
  URL.revokeObjectURL(url);
}

/** A key that leads to the history of its fact. */
function historyButton({ fact, key }) {
  return make("button", {
    type: "button",
    class: "key",
    "aria-label": `History of ${fact} ${key}`,
    onclick: () => openHistory(fact.replace(" ", "-"), key),
  }, key);
}

async function showChanges(isOld) {
  const batch = shownBatch();
  const since = state.since !== null && state.since < batch
    ? state.since
    : batch - 1;
  $("changes-batch").textContent = number.format(batch);
  $("since").max = String(batch - 1);
  $("since").value = String(since);
  const { changes, cut, most } = await get(
    `/api/changes/${batch}?since=${since}`,
  );
  if (isOld()) return;
  $("changes-cut").hidden = cut.length === 0;
  $("changes-cut").textContent =
    `Of each of these only the first ${most} by key are shown: ${
      cut.join(", ")
    }.`;
  $("changes-list").replaceChildren(
    changes.length === 0 ? make("p", {}, "No fact changed.") : scrolled(
      "Changes",
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            ...["Fact", "Key", "", "Column", "Before", "After"].map((name) =>
              make("th", { scope: "col" }, name)
            ),
          ),
        ),
        make(
          "tbody",
          {},
          ...changes.flatMap((change) =>
            change.columns.map((column, index) =>
              make(
                "tr",
                {},
                make("td", {}, index === 0 ? change.fact : ""),
                make("td", {}, index === 0 ? historyButton(change) : ""),
                make(
                  "td",
                  { class: `kind-${change.kind}` },
                  index === 0 ? change.kind : "",
                ),
                make("td", {}, column.name),
                make("td", { class: "before" }, String(column.before ?? "")),
                make("td", {}, String(column.after ?? "")),
              )
            )
          ),
        ),
      ),
    ),
  );
}

/** Goes to the history of a fact. */
function openHistory(fact, key) {
  $("history-fact").value = fact;
  $("history-key").value = key;
  location.hash = "changes";
  showHistory().then(() => $("history-title").focus()).catch(tell);
}

/** What happened to one fact, the oldest first, as a line through time. */
async function showHistory() {
  const events = await get(
    `/api/history/${$("history-fact").value}/${$("history-key").value}`,
  );
  const moment = ({ batch, at, kind, columns }) =>
    make(
      "li",
      { class: `kind-${kind}`, "data-event": kind },
      make(
        "p",
        {},
        make("strong", {}, kind),
        ` in batch ${number.format(batch)}, ${shown(at)} `,
        make(
          "button",
          { type: "button", onclick: () => goTo(Number(batch)) },
          "Everything as of then",
        ),
      ),
      kind === "deleted" ? "" : make(
        "dl",
        { class: "columns" },
        ...columns.flatMap(({ name, before, after }) => [
          make("dt", {}, name.replaceAll("_", " ")),
          make(
            "dd",
            {},
            ...(kind === "updated"
              ? [make("del", {}, String(before ?? "nothing")), " → "]
              : []),
            make("ins", {}, String(after ?? "nothing")),
          ),
        ]),
      ),
    );
  $("history").replaceChildren(
    events.length === 0
      ? make("p", {}, "The warehouse has never known it.")
      : make("ol", { class: "timeline" }, ...events.map(moment)),
  );
}

/** Sets the time machine to a batch, and shows the business as of it. */
function goTo(batch) {
  state.batch = batch === Number(state.newest.batch) ? null : batch;
  $("slider").value = String(batch);
  location.hash = "business";
}

async function showPipeline() {
  const { freshness, batches, verification } = await get("/api/pipeline");
  draw("pipeline-charts", "freshness", {
    title: "Behind the source over the last day, minutes",
    rows: freshness.map((row) => ({ ...row, series: "minutes" })),
    type: "line",
    times: "at",
    series: "series",
    value: "minutes",
    limit: PROMISE_MINUTES,
  });
  const rows = [...batches].reverse();
  draw("pipeline-charts", "rows", {
    title: "Rows per batch",
    rows: rows.map((row) => ({ ...row, series: "rows" })),
    type: "bar",
    categories: rows.map((row) => row.batch),
    category: "batch",
    series: "series",
    value: "rows",
  });
  const [last] = batches;
  const stage = (name, done_at, seconds, more) => ({
    stage: name,
    last_batch: last.batch,
    done_at,
    seconds,
    ...more,
  });
  const { rows: versions, bytes } = last;
  $("stages").replaceChildren(
    scrolled(
      "Stages",
      tableOf([
        stage("extract", last.extracted_at, last.extract_seconds, {
          rows: "",
          bytes: "",
        }),
        stage("transform", last.transformed_at, last.transform_seconds, {
          rows: versions,
          bytes,
        }),
        stage("load", last.loaded_at, last.load_seconds, {
          rows: versions,
          bytes,
        }),
      ]),
    ),
  );
  const listed = batches.map((
    { extracted_at: _, transformed_at: __, ...batch },
  ) => batch);
  $("batches").replaceChildren(
    scrolled(
      "Batches",
      tableOf(listed, {
        label: "Details",
        act: ({ batch }) => showBatch(batch).catch(tell),
      }),
    ),
  );
  $("verification").replaceChildren(
    verification.length === 0
      ? make("p", {}, "Nothing was verified yet: deno task verify does it.")
      : scrolled("Verification", tableOf(verification)),
  );
}

/** What one batch is: its ledger, what it did to each model, its findings. */
async function showBatch(batch) {
  const { ledger, models, files, findings } = await get(
    `/api/batches/${batch}`,
  );
  const heading = make("h2", { tabindex: "-1" }, `Batch ${batch}`);
  $("batch-details").replaceChildren(
    heading,
    make(
      "dl",
      { class: "ledger" },
      ...Object.entries(ledger).flatMap(([name, value]) => [
        make("dt", {}, name.replaceAll("_", " ")),
        make("dd", {}, shown(value)),
      ]),
    ),
    make("h3", {}, "What it did to each model"),
    models.length === 0
      ? make("p", {}, "Nothing.")
      : scrolled("Versions by model", tableOf(models)),
    make("h3", {}, "Files of its manifest in the lake"),
    files.length === 0
      ? make("p", {}, "None, or not written down: it was loaded before it was.")
      : scrolled("Files", tableOf(files)),
    make("h3", {}, "What the checks found"),
    findings.length === 0
      ? make("p", {}, "The checks found nothing in it.")
      : scrolled("Findings", tableOf(findings)),
  );
  heading.focus();
}

function currentView() {
  const view = location.hash.slice(1);
  return ["business", "changes", "pipeline"].includes(view) ? view : "business";
}

function showView() {
  const view = currentView();
  for (const section of document.querySelectorAll("[data-section]")) {
    section.hidden = section.dataset.section !== view;
  }
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  refresh().then(() => charts.forEach(({ drawing }) => drawing.resize()));
}

function listen() {
  // It connects again by itself.
  const events = new EventSource("/events");
  events.addEventListener("link", ({ data }) => {
    state.up = JSON.parse(data).up;
    showStatus();
    if (state.up) refresh();
  });
  events.addEventListener("batch", () => refresh());
  events.onerror = () => {
    state.up = false;
    showStatus();
    // The server can't stream: it is asked again and again.
    if (events.readyState === EventSource.CLOSED) poll();
  };
}

/** Looks for a new batch while somebody looks at the page. */
async function poll() {
  if (!document.hidden) {
    try {
      const newest = await get("/api/newest");
      state.up = true;
      const isOther = newest?.batch !== state.newest?.batch ||
        newest?.lake_id !== state.newest?.lake_id;
      state.newest = newest;
      state.askedAt = Date.now();
      showStatus();
      if (isOther) await refresh();
    } catch {
      state.up = false;
      showStatus();
    }
  }
  setTimeout(poll, POLL_MS);
}

$("slider").addEventListener("input", () => {
  const value = Number($("slider").value);
  state.batch = value === Number(state.newest.batch) ? null : value;
  showMachine();
});
$("slider").addEventListener("change", () => refresh());
$("now").addEventListener("click", () => {
  state.batch = null;
  refresh();
});
$("currency").addEventListener(
  "change",
  () => state.overview && showBusiness(),
);
for (const id of ["from", "to", "counterparty"]) {
  $(id).addEventListener("change", () => refresh());
}
$("since").addEventListener("change", () => {
  const since = Number($("since").value);
  state.since = Number.isInteger(since) && since >= 0 ? since : null;
  refresh();
});
$("history-form").addEventListener("submit", (event) => {
  event.preventDefault();
  showHistory().catch(tell);
});
addEventListener("hashchange", showView);
addEventListener(
  "resize",
  () => charts.forEach(({ drawing }) => drawing.resize()),
);
dark.addEventListener("change", () => refresh());
setInterval(() => state.newest && showStatus(), 5000);
showView();
listen();
