import assert from "node:assert/strict";
import {
  chosenDays,
  twelveMonthsTo,
} from "../../../visualise/figures/period.ts";

Deno.test("twelveMonthsTo() compares a part of a month with the same part", () => {
  assert.deepEqual(twelveMonthsTo("2026-11-28"), {
    shown: { from: "2025-12-01", to: null },
    before: { from: "2024-12-01", to: "2025-11-28" },
  });
  assert.deepEqual(twelveMonthsTo("2026-01-05"), {
    shown: { from: "2025-02-01", to: null },
    before: { from: "2024-02-01", to: "2025-01-05" },
  });
});

Deno.test("twelveMonthsTo() takes the last day of a shorter month", () => {
  assert.equal(twelveMonthsTo("2024-02-29").before.to, "2023-02-28");
});

Deno.test("chosenDays() compares days with as many before them", () => {
  assert.deepEqual(
    chosenDays({ from: "2026-03-01", to: "2026-03-10" }, "2026-11-28")?.before,
    { from: "2026-02-19", to: "2026-02-28" },
  );
  // Without a last day, they go on to today.
  assert.deepEqual(
    chosenDays({ from: "2026-11-28", to: null }, "2026-11-28")?.before,
    { from: "2026-11-27", to: "2026-11-27" },
  );
  assert.equal(chosenDays({ from: null, to: "2026-01-01" }, "x"), undefined);
  // There is no year 0 to compare with.
  assert.equal(
    chosenDays({ from: "0001-01-01", to: "9999-12-31" }, "x"),
    undefined,
  );
});
