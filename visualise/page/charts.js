// Charts in cards, each of which can be read as a table and saved as CSV.
// @ts-ignore: there is no such file on disk; the server takes it from npm
import * as echarts from "./echarts.js";
import { $, make, refill, scrolled, tableOf } from "./elements.js";
import { isNumber, month, rounded, short } from "./formats.js";

/** Okabe and Ito's colours, which colour-blind readers can tell apart. */
const COLORS = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
];
/** Names with a fixed meaning have fixed colours. */
const STATES = { paid: "#009e73", due: "#e69f00", overdue: "#d55e00" };
const RANKED_MAX = 12;
/** Fifty years: a longer span means that a date is wrong. */
const MONTHS_MAX = 600;
/** The order in which names were first seen. */
const seen = new Map();
const charts = new Map();

/** Options that draw rows by month, without gaps between months. */
export function byMonth(rows, value) {
  const found = [...new Set(rows.map((row) => row.month))].sort();
  return {
    categories: monthsBetween(found),
    category: "month",
    series: "currency",
    value,
  };
}

function monthsBetween(found) {
  const [first] = found;
  if (first === undefined) return [];
  const number = (text) =>
    Number(text.slice(0, 4)) * 12 + Number(text.slice(5));
  const count = number(found.at(-1)) - number(first) + 1;
  if (!(count <= MONTHS_MAX)) return found;
  return Array.from({ length: count }, (_, index) => {
    const months = number(first) - 1 + index;
    const [year, of] = [Math.floor(months / 12), months % 12 + 1];
    return `${String(year).padStart(4, "0")}-${String(of).padStart(2, "0")}`;
  });
}

/**
 * Draws the first rows of each currency as bars, the largest on top; the table
 * has all of them. Currencies are not ranked against each other.
 */
export function rank(id, chart, { rows, name }) {
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
 * Draws a chart in its card, or its rows as a table. If `named` is given, it
 * makes the names of the chart's categories or series from several columns,
 * which the table shows separately. `open` is called with a row that is clicked
 * on, and `batch` is the batch of the figures.
 */
export function draw(parent, id, { named, ...given }) {
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
  if (!charts.has(id)) charts.set(id, makeCard(parent, id, chart.title));
  const entry = charts.get(id);
  entry.chart = chart;
  entry.rows = chart.table ?? chart.rows;
  const names = [...new Set(chart.rows.map((row) => row[chart.series]))].sort();
  const options = optionsOf(chart, names);
  // Series hidden by the legend stay hidden.
  options.legend.selected = entry.drawing.getOption()?.legend?.[0]?.selected;
  entry.drawing.setOption(options, { notMerge: true });
  entry.canvas.setAttribute(
    "aria-label",
    `${chart.title}: ${
      names.join(", ") || "nothing"
    }. The button Table shows the figures.`,
  );
  refill(
    entry.table,
    entry.rows.length === 0 ? make("p", {}, "Nothing here.") : tableOf(
      entry.rows,
      chart.open === undefined
        ? undefined
        : { label: "Rows", act: (row) => chart.open(row) },
    ),
  );
}

/** Fits the charts into the room that they have. */
export function resizeCharts() {
  for (const { drawing } of charts.values()) drawing.resize();
}

function makeCard(parent, id, title) {
  const canvas = make("div", { class: "canvas", role: "img" });
  const table = scrolled(`${title}: table`);
  table.hidden = true;
  const toggle = make("button", {
    type: "button",
    "aria-pressed": "false",
    "aria-label": `Table: ${title}`,
    onclick: () => {
      const asTable = table.hidden;
      table.hidden = !asTable;
      canvas.hidden = asTable;
      toggle.setAttribute("aria-pressed", String(asTable));
      drawing.resize();
    },
  }, "Table");
  const csv = make("button", {
    type: "button",
    "aria-label": `CSV: ${title}`,
    onclick: () => save(id),
  }, "CSV");
  $(parent).append(make(
    "article",
    { class: "chart", "data-chart": id },
    make(
      "header",
      {},
      make("h3", {}, title),
      make("div", { class: "tools" }, toggle, csv),
    ),
    canvas,
    table,
  ));
  const drawing = echarts.init(canvas, null, { renderer: "canvas" });
  drawing.on("click", ({ name, seriesName }) => {
    const { chart } = charts.get(id);
    const row = chart.rows.find((one) =>
      one[chart.category] === name && one[chart.series] === seriesName
    );
    if (row !== undefined) chart.open?.(row);
  });
  return { canvas, table, drawing };
}

function optionsOf(chart, names) {
  const style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--muted");
  const values = {
    type: "value",
    axisLabel: { color: ink, formatter: short },
    max: chart.limit && (({ max }) => Math.max(max, chart.limit)),
    splitLine: { lineStyle: { color: style.getPropertyValue("--line") } },
  };
  const categories = {
    type: chart.times ? "time" : "category",
    data: chart.categories,
    axisLabel: {
      color: ink,
      hideOverlap: true,
      width: 140,
      overflow: "truncate",
      ...(chart.category === "month" ? { formatter: month } : {}),
    },
  };
  return {
    animationDuration: 300,
    grid: { left: 8, right: 16, top: 36, bottom: 8, containLabel: true },
    legend: { type: "scroll", top: 0, textStyle: { color: ink } },
    // Rich text, since an HTML tooltip would need inline styles.
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      valueFormatter: (value) => value === null ? "–" : rounded(value),
    },
    graphic: chart.rows.length > 0 ? [] : [{
      type: "text",
      left: "center",
      top: "middle",
      silent: true,
      style: { text: "Nothing here.", fill: ink, font: "1rem sans-serif" },
    }],
    xAxis: chart.across ? values : categories,
    yAxis: chart.across ? categories : values,
    series: names.map((name) => ({
      name,
      data: dataOf(chart, name),
      ...looksOf(name),
      type: chart.type,
      stack: chart.stack ? "all" : undefined,
      // Each name has a single bar, which takes the whole width.
      barGap: chart.across ? "-100%" : undefined,
      markLine: chart.limit && {
        silent: true,
        symbol: "none",
        lineStyle: { color: ink, type: "dashed" },
        label: { color: ink, position: "insideEndTop", formatter: "target" },
        data: [{ yAxis: chart.limit }],
      },
    })),
  };
}

function dataOf(chart, name) {
  if (chart.times) {
    return chart.rows.map((row) => [row[chart.times], row[chart.value]]);
  }
  const sums = new Map();
  for (const row of chart.rows) {
    if (row[chart.series] !== name) continue;
    const category = row[chart.category];
    sums.set(category, (sums.get(category) ?? 0) + Number(row[chart.value]));
  }
  // In a month without a row, nothing was sold.
  const none = chart.category === "month" ? 0 : null;
  return chart.categories.map((category) => sums.get(category) ?? none);
}

/** A name looks the same in all charts; past the colours, lines are dashed. */
function looksOf(name) {
  if (STATES[name] !== undefined) return { color: STATES[name] };
  if (!seen.has(name)) seen.set(name, seen.size);
  const place = seen.get(name);
  const color = COLORS[place % COLORS.length];
  return place < COLORS.length ? { color } : {
    color,
    lineStyle: { type: "dashed" },
    symbol: "rect",
    itemStyle: { decal: { dashArrayX: [1, 0], dashArrayY: [2, 5] } },
  };
}

/** Saves a chart's rows as CSV, in which no text can act as a formula. */
function save(id) {
  const { chart, rows } = charts.get(id);
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
    download: `${id}-batch-${chart.batch}.csv`,
  });
  link.click();
  URL.revokeObjectURL(url);
}
