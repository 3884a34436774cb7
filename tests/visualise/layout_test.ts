import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { extract } from "../../extract/extract.ts";
import { withFailureNote } from "../../lib/batches/failure_note.ts";
import {
  batchShown,
  loaded,
  open,
  Served,
  testPage,
} from "../harness/browser/dashboard.ts";
import { execute } from "../harness/platform.ts";
import { insertOrder } from "../harness/companies/small_source.ts";

// Places and sizes instead of pictures: a picture differs with each machine's
// fonts, but how many parts a row has follows from the style sheet alone.

const SIZES = {
  phone: { width: 390, height: 844 },
  desk: { width: 1440, height: 900 },
  wall: { width: 2560, height: 1440 },
};

/** A view of the page, and what is expected of it. */
interface View {
  query: string;
  /** It is shown when this is there. */
  ready: string;
  /** Selectors of the parts whose places count. */
  parts: Readonly<Record<string, string>>;
  /** How many parts each row has, from the top. */
  rows: Readonly<Record<keyof typeof SIZES, readonly string[]>>;
  /** The parts that are seen at once, without scrolling. */
  atOnce: readonly string[];
  /** Whether a line would be too long to read if rows were as wide as a wall. */
  isNarrow?: boolean;
}

const STAGES = ["1 stage", "1 stage", "1 stage"];
const BELOW = ["1 chart", "1 checks", "1 verification", "1 batches"];
const WIDE_PIPELINE = [
  "1 behind",
  "3 stage",
  "1 strip",
  "4 health",
  ...BELOW,
];
const VIEWS: Readonly<Record<string, View>> = {
  overview: {
    query: "",
    ready: "[data-chart=counterparty] .bars",
    parts: { card: "[data-card]", chart: ".large", list: "#boards > *" },
    rows: {
      phone: ["2 card", "2 card", "1 chart", ...Array(5).fill("1 list")],
      desk: ["4 card", "1 chart", "3 list", "2 list"],
      wall: ["4 card", "1 chart", "5 list"],
    },
    atOnce: ["card"],
  },
  changes: {
    query: "?view=changes&since=1",
    ready: ".changes",
    parts: { list: "#changes-list" },
    rows: { phone: ["1 list"], desk: ["1 list"], wall: ["1 list"] },
    atOnce: [],
  },
  record: {
    query: "?view=record&record=sales-order/1",
    ready: "#history li",
    parts: { now: ".story .now", history: ".story .timeline" },
    rows: {
      phone: ["1 now", "1 history"],
      desk: ["1 now, 1 history"],
      wall: ["1 now, 1 history"],
    },
    atOnce: [],
    isNarrow: true,
  },
  pipeline: {
    query: "?view=pipeline",
    ready: "#batches table",
    parts: {
      behind: "#behind",
      stage: ".stage",
      strip: "#strip",
      health: "#health > div",
      chart: "[data-chart=freshness]",
      checks: "#checks",
      verification: "#verification",
      batches: "#batches",
    },
    rows: {
      phone: [
        "1 behind",
        ...STAGES,
        "1 strip",
        "2 health",
        "2 health",
        ...BELOW,
      ],
      desk: WIDE_PIPELINE,
      wall: WIDE_PIPELINE,
    },
    atOnce: ["behind"],
  },
};

const FAILING: View = {
  query: "?view=pipeline",
  ready: ".failure",
  parts: {
    message: ".failure .message",
    fact: ".failure dl > div",
    stage: ".stage",
  },
  rows: {
    phone: ["1 message", "1 fact", "1 fact", "1 fact", ...STAGES],
    desk: ["1 message", "3 fact", "3 stage"],
    wall: ["1 message", "3 fact", "3 stage"],
  },
  atOnce: ["message", "fact"],
  // The panel has an edge of its own.
  isNarrow: true,
};

testPage(
  "each view has its parts where they belong, on a phone, a desk and a wall",
  async () => {
    await using platform = await loaded();
    await execute(
      platform.source.client,
      insertOrder(50),
      "update sales_order set units_sold = 777 where sales_order_id = 1",
    );
    await platform.run();
    await using served = new Served(platform);
    const address = await served.address;
    const { page, errors } = await open(address);
    for (const [name, view] of Object.entries(VIEWS)) {
      await assertLaidOut(page, { name, view, address });
    }
    await execute(
      platform.source.client,
      "alter table design rename to designs",
    );
    await assert.rejects(withFailureNote(platform.context, "extract", extract));
    await assertLaidOut(page, { name: "failing", view: FAILING, address });

    assert.deepEqual(errors, []);
  },
);

async function assertLaidOut(
  page: Page,
  { name, view, address }: { name: string; view: View; address: string },
): Promise<void> {
  await page.goto(`${address}${view.query}`);
  await batchShown(page, 2);
  await page.waitForSelector(view.ready);
  for (const [size, { width, height }] of Object.entries(SIZES)) {
    const at = `${name}, ${size}`;
    await page.setViewportSize({ width, height });
    assertApart(await boxesOf(page, { nav: "nav", status: "#status" }), at);
    const [main] = await boxesOf(page, { main: "#main" });
    const boxes = await boxesOf(page, view.parts);
    const rows = rowsOf(boxes);
    assert.deepEqual(
      rows.map(textOf),
      view.rows[size as keyof typeof SIZES],
      at,
    );
    for (const row of rows) {
      assertEven(row, at);
      const share = ((row.at(-1)?.right ?? 0) - (row[0]?.left ?? 0)) /
        ((main?.right ?? 0) - (main?.left ?? 0));
      const isFull = view.isNarrow === true || share > 0.9;
      assert.ok(isFull && share <= 1, `${at}: ${textOf(row)} is ${share} wide`);
    }
    for (const box of boxes.filter((one) => view.atOnce.includes(one.name))) {
      assert.ok(box.bottom <= height, `${at}: ${box.name} is below the fold`);
    }
    for (const chart of boxes.filter((one) => one.name === "chart")) {
      const tall = chart.bottom - chart.top;
      assert.ok(tall > 220 && tall < 700, `${at}: the chart is ${tall} high`);
    }
  }
}

interface Box {
  name: string;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** The boxes of what selectors find, as far as it is shown. */
async function boxesOf(page: Page, parts: View["parts"]): Promise<Box[]> {
  const boxes = await page.evaluate(
    `Object.entries(${JSON.stringify(parts)}).flatMap(([name, selector]) =>
      [...document.querySelectorAll(selector)].map((part) => {
        const { left, top, right, bottom } = part.getBoundingClientRect();
        return { name, left, top, right, bottom };
      }))`,
  ) as Box[];
  return boxes.filter(({ left, right }) => right > left);
}

/** Those whose tops are level, from the top and from the left. */
function rowsOf(boxes: readonly Box[]): Box[][] {
  const rows: Box[][] = [];
  for (const box of boxes.toSorted((one, other) => one.top - other.top)) {
    const row = rows.at(-1);
    if (row !== undefined && box.top - (row[0]?.top ?? 0) < 8) row.push(box);
    else rows.push([box]);
  }
  return rows.map((row) => row.toSorted((one, other) => one.left - other.left));
}

function textOf(row: readonly Box[]): string {
  return [...Map.groupBy(row, ({ name }) => name)]
    .map(([name, boxes]) => `${boxes.length} ${name}`).join(", ");
}

/** No part lies on another. */
function assertApart(boxes: readonly Box[], at: string): void {
  for (const [index, one] of boxes.entries()) {
    for (const other of boxes.slice(index + 1)) {
      assert.ok(
        isApart(one, other),
        `${at}: ${one.name} lies on ${other.name}`,
      );
    }
  }
}

/** Parts of one kind are equally wide; facts are as wide as what they say. */
function assertEven(row: readonly Box[], at: string): void {
  const widths = row.map(({ left, right }) => right - left);
  const differ = Math.max(...widths) - Math.min(...widths);
  assert.ok(
    differ < 3 || row[0]?.name === "fact",
    `${at}: widths of ${textOf(row)} differ by ${differ}`,
  );
}

function isApart(one: Box, other: Box): boolean {
  return one.right <= other.left + 1 || other.right <= one.left + 1 ||
    one.bottom <= other.top + 1 || other.bottom <= one.top + 1;
}

testPage(
  "long durations and the words of a legend stay on one line, and no card shows the month under way as a fall",
  async () => {
    await using platform = await loaded();
    const today = new Date().toISOString().slice(0, 10);
    await execute(
      platform.source.client,
      insertOrder(50).replaceAll("2023-01-01", today),
    );
    await platform.run();
    await execute(
      platform.warehouse.client,
      `update pipeline.batch set transformed_at = transform_began_at
        + interval '23 h 59 min' where batch = 1`,
    );
    await using served = new Served(platform);
    const address = await served.address;
    const { page, errors } = await open(address);
    const dashed = await page.locator("[data-card=sales] .spark .partial")
      .count();
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${address}?view=pipeline`);
    await page.waitForSelector("#batches .took");
    const said = await page.locator("#batches").innerText();
    const tall = await page.evaluate(
      `[...document.querySelectorAll(".took, .legend span")]
        .filter((one) => one.getBoundingClientRect().height >
          1.7 * parseFloat(getComputedStyle(one).lineHeight))
        .map((one) => one.textContent)`,
    );

    assert.equal(dashed, 1);
    assert.match(said, /23 h 59 min/);
    assert.deepEqual(tall, []);
    assert.deepEqual(errors, []);
  },
);
