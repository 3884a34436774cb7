import assert from "node:assert/strict";
import {
  type TypeChange,
  typeChange,
} from "../../../lib/project/type_change.ts";
import { warehouseType } from "../../../lib/project/warehouse_type.ts";

const FITS: TypeChange = { kind: "fits" };
const widen = (to: string): TypeChange => ({ kind: "widen", to });
const replace = (to: string): TypeChange => ({ kind: "replace", to });

for (
  const [present, wanted, change] of [
    ["integer", "integer", FITS],
    ["smallint", "integer", widen("integer")],
    ["integer", "bigint", widen("bigint")],
    ["bigint", "integer", FITS],
    ["bigint", "numeric(39,0)", widen("numeric(39,0)")],
    ["integer", "numeric(10,2)", widen("numeric(12,2)")],
    ["numeric", "numeric(38,10)", FITS],
    ["numeric(10,2)", "numeric(12,2)", widen("numeric(12,2)")],
    ["numeric(10,2)", "numeric(10,3)", widen("numeric(11,3)")],
    ["numeric(12,4)", "numeric(10,2)", FITS],
    ["numeric(10,2)", "bigint", widen("numeric(21,2)")],
    ["character varying(20)", "text", widen("text")],
    ["character(3)", "text", widen("text")],
    ["name", "text", widen("text")],
    ['"char"', "text", widen("text")],
    ["integer", "text", widen("text")],
    ["date", "text", FITS],
    ["time without time zone", "text", FITS],
    ["text", "integer", replace("integer")],
    ["text", "date", replace("date")],
    ["boolean", "integer", replace("integer")],
    ["integer", "boolean", replace("boolean")],
    [
      "date",
      "timestamp without time zone",
      widen("timestamp without time zone"),
    ],
    ["timestamp with time zone", "timestamp without time zone", FITS],
    ["real", "double precision", widen("double precision")],
    ["numeric(10,2)", "double precision", widen("double precision")],
    ["numeric(18,2)", "double precision", replace("double precision")],
    ["numeric", "double precision", FITS],
    ["integer", "double precision", widen("double precision")],
    ["double precision", "numeric(15,2)", FITS],
    ["double precision", "numeric(18,2)", replace("numeric(18,2)")],
    ["double precision", "integer", FITS],
    ["real", "integer", replace("integer")],
    [
      "timestamp(0) without time zone",
      "timestamp without time zone",
      widen("timestamp without time zone"),
    ],
    [
      "timestamp(3) with time zone",
      "timestamp without time zone",
      widen("timestamp with time zone"),
    ],
    [
      "time(0) without time zone",
      "time without time zone",
      widen("time without time zone"),
    ],
    ["timestamp(0) without time zone", "date", FITS],
    ["money_of_ours", "numeric(10,2)", FITS],
    ["jsonb", "json", FITS],
    ["money", "numeric(10,2)", widen("numeric")],
    ["money", "text", FITS],
    ["numeric(10,2)[]", "text", widen("numeric[]")],
    ["numeric[]", "text", FITS],
    ["interval day to second(3)[]", "text", widen("interval[]")],
    [
      "timestamp(0) with time zone[]",
      "text",
      widen("timestamp with time zone[]"),
    ],
    ["timestamp(6) without time zone[]", "text", FITS],
    ["real", "text", widen("text")],
    [
      "timestamp(0) with time zone",
      "text",
      widen("timestamp with time zone"),
    ],
    ["interval(0)", "text", widen("interval")],
    ["interval day to second(3)", "text", widen("interval")],
    ["interval", "text", FITS],
    ["interval(0)[]", "text", widen("interval[]")],
    ["text[]", "text", FITS],
    ["character varying(20)[]", "text", FITS],
  ] as const
) {
  Deno.test(`typeChange() from ${present} to ${wanted}`, () => {
    assert.deepEqual(typeChange(present, wanted), change);
  });
}

Deno.test("warehouseType() returns the type that holds the same values, if any", () => {
  const isTime = false;

  assert.equal(warehouseType("DECIMAL(10,2)", { isTime }), "numeric(10,2)");
  assert.equal(warehouseType("VARCHAR", { isTime }), "text");
  assert.equal(
    warehouseType("VARCHAR", { isTime: true }),
    "time without time zone",
  );
  assert.equal(warehouseType("BLOB", { isTime }), undefined);
  assert.equal(warehouseType("INTEGER[]", { isTime }), undefined);
});
