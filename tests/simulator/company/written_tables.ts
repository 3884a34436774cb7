import type { WrittenTable } from "../../harness/companies/random_writers.ts";

const STATES = "enum_range(cast(null as device_state))";
/** So many numbers share an address, or one half of a link. */
const SHARED = 3;

/** The company's tables, for writers. */
export const COMPANY_TABLES: readonly WrittenTable[] = [
  {
    name: "device",
    where: (key) => `serial = ${key}.5`,
    move: (key) => `serial = ${key}.5`,
    values: (key, fresh) =>
      `${key}.5, ${state(fresh)}, 'L ${fresh}', ${deletedAt(fresh)}`,
    // A number that is written with more digits is the same, its text is not.
    change: (fresh) =>
      `batch = 'L ${fresh}', deleted_at = ${deletedAt(fresh)},
      state = ${state(fresh)}${
        fresh % 7 === 0 ? ", serial = round(serial, 3)" : ""
      }`,
    isStamped: false,
  },
  {
    name: "link",
    where: (key) => `(upper_id, lower_id) = (${link(key)})`,
    move: (key) => `(upper_id, lower_id) = (${link(key)})`,
    values: (key, fresh) => `${link(key)}, ${fresh}`,
    change: (fresh) => `weight = ${fresh}`,
    isStamped: false,
  },
  {
    name: "visit",
    where: (key) => `(address, visited_on) = (${visit(key)})`,
    move: (key) => `(address, visited_on) = (${visit(key)})`,
    values: (key, fresh) => `${visit(key)}, ${fresh}`,
    change: (fresh) => `amount = ${fresh} / 100.0`,
    isStamped: false,
    isPartitioned: true,
  },
  {
    name: "tariff",
    where: (key) => `state = ${state(key)}`,
    move: (key) => `state = ${state(key)}`,
    values: (key, fresh) => `${state(key)}, ${fresh}`,
    change: (fresh) => `price = ${fresh} / 100.0`,
    isStamped: false,
  },
  {
    name: "desk",
    where: (key) => `desk_id = int4send(${key})`,
    // No two desks have one number, but where the source's owner makes them.
    move: (key) => `desk_id = int4send(${key}), desk_number = ${10 * key}`,
    values: (key, fresh) => `int4send(${key}), ${10 * key}, 'floor ${fresh}'`,
    change: (fresh) => `place = e'floor\\n${fresh}'`,
    isStamped: false,
  },
  {
    name: "member",
    where: (key) => `member_id = ${key}`,
    move: (key) => `member_id = ${key}`,
    values: (key, fresh) => `${key}, ${10 * key}, 'badge ${fresh}'`,
    change: (fresh) =>
      `desk_number = ${10 * (1 + fresh % 9)},
      badge = 'badge ${fresh} ' || member_id`,
    isStamped: false,
  },
];

/** One of the labels that there are at that moment. */
function state(number: number): string {
  return `(${STATES})[1 + ${number} % cardinality(${STATES})]`;
}

function deletedAt(fresh: number): string {
  return fresh % 3 === 0 ? "localtimestamp" : "null";
}

/** Of two links one often is the other's mirror. */
function link(key: number): string {
  return `${1 + key % SHARED}, ${1 + Math.floor(key / SHARED)}`;
}

/** Around a turn of the year, so that rows move between partitions. */
function visit(key: number): string {
  return `inet '10.0.0.${key % SHARED}/${24 + key % SHARED}',
    date '2023-12-27' + ${key % 1000}`;
}
