import assert from "node:assert/strict";
import {
  type AvroRecordSchema,
  decodeAvro,
  encodeAvro,
} from "../../../lib/iceberg/avro.ts";

const SCHEMA: AvroRecordSchema = {
  type: "record",
  name: "row",
  fields: [
    { name: "number", type: "long", "field-id": 1 },
    { name: "text", type: "string", "field-id": 2 },
    { name: "flag", type: "boolean", "field-id": 3 },
    { name: "list", type: { type: "array", items: "bytes" }, "field-id": 4 },
    { name: "maybe", type: ["null", "int"], default: null, "field-id": 5 },
    {
      name: "nothing",
      type: { type: "record", name: "none", fields: [] },
      "field-id": 6,
    },
  ],
};
const RECORD = {
  number: 0,
  text: "",
  flag: false,
  list: [],
  maybe: null,
  nothing: {},
};

Deno.test("decodeAvro() reads what encodeAvro() wrote", () => {
  const numbers = [0, -1, 63, 64, -64, -65, 2 ** 31, 2 ** 52 - 1, -(2 ** 51)];
  const records = numbers.map((number, index) => ({
    ...RECORD,
    number,
    text: "ä".repeat(index * 700),
    flag: index % 2 === 0,
    list: [Uint8Array.of(index), new Uint8Array()],
    maybe: index % 3 === 0 ? null : index,
  }));

  const found = decodeAvro(
    encodeAvro(SCHEMA, { metadata: { about: "a test" }, records }),
  );

  assert.deepEqual(found.records, records);
  assert.equal(found.metadata.about, "a test");
  assert.deepEqual(
    decodeAvro(encodeAvro(SCHEMA, { metadata: {}, records: [] })).records,
    [],
  );
});

Deno.test("encodeAvro() encodes numbers like the specification's examples", () => {
  const one: AvroRecordSchema = {
    type: "record",
    name: "one",
    fields: [{ name: "n", type: "long", "field-id": 1 }],
  };
  const examples = { 0: [0], [-1]: [1], 1: [2], [-64]: [127], 64: [128, 1] };
  for (const [number, expected] of Object.entries(examples)) {
    const bytes = encodeAvro(one, {
      metadata: {},
      records: [{ n: Number(number) }],
    });

    assert.deepEqual([...bytes.slice(-16 - expected.length, -16)], expected);
  }
});

Deno.test("encodeAvro() refuses a value that doesn't fit its schema", () => {
  for (
    const wrong of [
      { text: 1 },
      { list: "no list" },
      { nothing: null },
      { number: 2 ** 53 },
      { number: 0.5 },
      { flag: undefined },
    ]
  ) {
    const record = Object.fromEntries(
      Object.entries({ ...RECORD, ...wrong }).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]]
      ),
    );
    assert.throws(
      () => encodeAvro(SCHEMA, { metadata: {}, records: [record] }),
      /Cannot encode|a whole number/,
    );
  }
});

Deno.test("decodeAvro() refuses truncated content", () => {
  const bytes = encodeAvro(SCHEMA, {
    metadata: {},
    records: [{ ...RECORD, text: "some" }],
  });

  assert.throws(() => decodeAvro(bytes.subarray(1)), /isn't an Avro file/);
  assert.throws(() => decodeAvro(bytes.subarray(0, -20)), /ends too early/);
  const compressed = encodeAvro(SCHEMA, {
    metadata: { "avro.codec": "deflate" },
    records: [],
  });
  assert.throws(() => decodeAvro(compressed), /compressed: deflate/);
});
