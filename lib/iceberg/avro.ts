import { createHash } from "node:crypto";

/** An Avro schema: the part of Avro 1.11 that Iceberg's own files use. */
export type AvroSchema =
  | "null"
  | "boolean"
  | "int"
  | "long"
  | "string"
  | "bytes"
  | readonly AvroSchema[]
  | AvroRecordSchema
  | AvroArraySchema;

/** A record's schema; Iceberg numbers the fields. */
export interface AvroRecordSchema {
  type: "record";
  name: string;
  fields: readonly {
    name: string;
    type: AvroSchema;
    default?: null;
    "field-id": number;
  }[];
}

/** An array's schema; Iceberg writes a map by other keys than texts as one. */
export interface AvroArraySchema {
  type: "array";
  items: AvroSchema;
  logicalType?: "map";
  "element-id"?: number;
}

/** A value; whole numbers are exact up to 2^52. */
export type AvroValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly AvroValue[]
  | AvroRecord;

/** A record, by the names of its fields. */
export interface AvroRecord {
  readonly [field: string]: AvroValue;
}

/** Records as a file holds them, with the metadata of its header. */
export interface AvroFile {
  metadata: Readonly<Record<string, string>>;
  records: AvroRecord[];
}

const MAGIC = Uint8Array.of(0x4f, 0x62, 0x6a, 1);
const SYNC_BYTES = 16;

/**
 * Encodes records as an Avro object container file, in one block without
 * compression: https://avro.apache.org/docs/1.11.1/specification/. The same
 * records give the same bytes.
 */
export function encodeAvro(
  schema: AvroRecordSchema,
  { metadata, records }: { metadata: Record<string, string> } & {
    records: readonly AvroRecord[];
  },
): Uint8Array<ArrayBuffer> {
  const block = new Writer();
  for (const record of records) block.value(schema, record);
  const content = block.bytes();
  const header = new Writer();
  header.raw(MAGIC);
  const all = Object.entries({
    "avro.schema": JSON.stringify(schema),
    "avro.codec": "null",
    ...metadata,
  });
  header.long(all.length);
  for (const [key, value] of all) {
    header.value("string", key);
    header.value("bytes", new TextEncoder().encode(value));
  }
  header.long(0);
  const sync = createHash("sha256").update(content).digest()
    .subarray(0, SYNC_BYTES);
  header.raw(sync);
  if (records.length > 0) {
    header.long(records.length);
    header.long(content.length);
    header.raw(content);
    header.raw(sync);
  }
  return header.bytes();
}

/**
 * Decodes an Avro object container file without compression, by the schema in
 * it. Throws an Error if it is none.
 */
export function decodeAvro(bytes: Uint8Array): AvroFile {
  const reader = new Reader(bytes);
  if (!reader.raw(MAGIC.length).every((byte, at) => byte === MAGIC[at])) {
    throw new Error("it isn't an Avro file");
  }
  const metadata: Record<string, string> = {};
  for (
    let count = reader.blockCount();
    count > 0;
    count = reader.blockCount()
  ) {
    for (let left = count; left > 0; left--) {
      const key = reader.text();
      metadata[key] = reader.text();
    }
  }
  if ((metadata["avro.codec"] ?? "null") !== "null") {
    throw new Error(`it is compressed: ${metadata["avro.codec"]}`);
  }
  const schema: AvroRecordSchema = JSON.parse(metadata["avro.schema"] ?? "");
  reader.raw(SYNC_BYTES);
  const records: AvroRecord[] = [];
  while (!reader.isAtEnd()) {
    const count = reader.long();
    reader.long();
    for (let left = count; left > 0; left--) {
      records.push(reader.record(schema));
    }
    reader.raw(SYNC_BYTES);
  }
  return { metadata, records };
}

class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  raw(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Zigzag, then seven bits a byte, the lowest first. */
  long(value: number): void {
    if (!Number.isInteger(value) || !Number.isSafeInteger(2 * value)) {
      throw new RangeError(`${value} isn't a whole number up to 2^52`);
    }
    let left = value < 0 ? -2 * value - 1 : 2 * value;
    const bytes: number[] = [];
    for (; left > 127; left = Math.floor(left / 128)) {
      bytes.push(left % 128 + 128);
    }
    this.raw(Uint8Array.of(...bytes, left));
  }

  value(schema: AvroSchema, value: AvroValue | undefined): void {
    if (isUnion(schema)) {
      const branch = schema.findIndex((one) =>
        (one === "null") === ((value ?? null) === null)
      );
      this.long(branch);
      if ((value ?? null) !== null) this.value(schema[branch] ?? "null", value);
    } else if (typeof schema === "object" && schema.type === "record") {
      if (!isRecord(value)) throw mismatch(schema.name, value);
      for (const { name, type } of schema.fields) this.value(type, value[name]);
    } else if (typeof schema === "object") {
      if (!Array.isArray(value)) throw mismatch("array", value);
      if (value.length > 0) this.long(value.length);
      for (const item of value) this.value(schema.items, item);
      this.long(0);
    } else if (schema === "string" && typeof value === "string") {
      this.value("bytes", new TextEncoder().encode(value));
    } else if (schema === "bytes" && value instanceof Uint8Array) {
      this.long(value.length);
      this.raw(value);
    } else if (schema === "boolean" && typeof value === "boolean") {
      this.raw(Uint8Array.of(Number(value)));
    } else if (
      (schema === "int" || schema === "long") && typeof value === "number"
    ) {
      this.long(value);
    } else throw mismatch(schema, value);
  }
}

class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  isAtEnd(): boolean {
    return this.#at === this.bytes.length;
  }

  raw(length: number): Uint8Array {
    const end = this.#at + length;
    if (!(length >= 0 && end <= this.bytes.length)) {
      throw new Error("it ends too early");
    }
    const bytes = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  long(): number {
    let value = 0;
    for (let place = 1;; place *= 128) {
      const byte = this.raw(1)[0] ?? 0;
      value += byte % 128 * place;
      if (byte < 128) break;
      if (place > Number.MAX_SAFE_INTEGER) {
        throw new Error("a number is too long");
      }
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  text(): string {
    return new TextDecoder().decode(this.raw(this.long()));
  }

  /** The items of a block; a negative number is followed by its bytes. */
  blockCount(): number {
    const count = this.long();
    if (count < 0) this.long();
    return Math.abs(count);
  }

  record(schema: AvroRecordSchema): AvroRecord {
    return Object.fromEntries(
      schema.fields.map(({ name, type }) => [name, this.value(type)]),
    );
  }

  value(schema: AvroSchema): AvroValue {
    if (isUnion(schema)) return this.value(schema[this.long()] ?? "null");
    if (typeof schema === "object") {
      return schema.type === "record" ? this.record(schema) : this.list(schema);
    }
    switch (schema) {
      case "null":
        return null;
      case "boolean":
        return this.raw(1)[0] === 1;
      case "string":
        return this.text();
      case "bytes":
        return this.raw(this.long());
      case "int":
      case "long":
        return this.long();
      default:
        throw new Error(`it has values of type ${JSON.stringify(schema)}`);
    }
  }

  list({ items }: AvroArraySchema): AvroValue[] {
    const found: AvroValue[] = [];
    for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
      for (let left = count; left > 0; left--) found.push(this.value(items));
    }
    return found;
  }
}

function isUnion(schema: AvroSchema): schema is readonly AvroSchema[] {
  return Array.isArray(schema);
}

function isRecord(value: AvroValue | undefined): value is AvroRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
}

function mismatch(type: string, value: unknown): TypeError {
  return new TypeError(`Cannot encode ${typeof value} as Avro's ${type}`);
}
