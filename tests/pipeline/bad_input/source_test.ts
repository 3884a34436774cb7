import assert from "node:assert/strict";
import type pg from "pg";
import { execute, type Platform } from "../../harness/platform.ts";
import { openClient } from "../../harness/servers/postgres.ts";
import {
  type BadInput,
  inSource,
  testBadInputs,
  withConnections,
} from "./bad_input.ts";

/** More than what the sockets between client and server hold. */
const LONG_ROWS = 30;
const LONG_ROW_CHARACTERS = 1_000_000;

/** What the driver calls with each message of a COPY. */
type CopyOut = pg.Submittable & {
  sql?: string;
  handleCopyData: (message: unknown) => void;
};

/** Hears each message of a COPY of `design`; false keeps it from the driver. */
function hearDesigns(hear: (message: number) => boolean) {
  return (client: pg.Client): void => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const heard = (first: unknown, ...rest: unknown[]) => {
      const copy = first as CopyOut;
      const isDesign = typeof first === "object" &&
        copy.sql?.includes('"design_name"');
      if (isDesign) {
        const handle = copy.handleCopyData.bind(copy);
        let messages = 0;
        copy.handleCopyData = (message) => {
          if (hear(++messages)) handle(message);
        };
      }
      return query(first, ...rest);
    };
    Object.assign(client, { query: heard });
  };
}

/** Reads the source as a role that may select, and what more is granted. */
async function asReader(platform: Platform, statements: string[]) {
  const { client } = platform.source;
  const { source } = platform.config;
  assert(source !== undefined);
  const role = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(
    client,
    `create role ${role} login password 'secret'`,
    `grant select on all tables in schema public to ${role}`,
    ...statements.map((statement) => statement.replace("$ROLE", role)),
  );
  platform.set({ source: { ...source, user: role, password: "secret" } });
  return async () => {
    platform.set({ source });
    await execute(client, `drop owned by ${role}`, `drop role ${role}`);
  };
}

const CASES: BadInput[] = [
  {
    name: "a column that was dropped",
    spoil: inSource(
      ["alter table design drop column file_name"],
      ["alter table design add file_name text not null default 'x'"],
    ),
    stage: "extract",
    message: /Cannot read "design": column "file_name" is missing/,
  },
  {
    name: "a column that was renamed",
    spoil: inSource(
      ["alter table staff rename email_address to email"],
      ["alter table staff rename email to email_address"],
    ),
    stage: "extract",
    message:
      /"email_address" is missing \(renamed\? the contract doesn't know email\)/,
  },
  {
    name: "a column of another type",
    spoil: inSource(
      ["alter table sales_order alter unit_price type text"],
      [
        "alter table sales_order alter unit_price type numeric(10,2) using unit_price::numeric",
      ],
    ),
    stage: "extract",
    message:
      /Cannot read "sales_order": column "unit_price" is now text, the contract says numeric\(10,2\)/,
  },
  {
    name: "a column that may be null",
    spoil: inSource(
      ["alter table payment alter paid drop not null"],
      ["alter table payment alter paid set not null"],
    ),
    stage: "extract",
    message: /column "paid" may now be null, the contract says not null/,
  },
  {
    name: "a table that is gone",
    spoil: inSource(
      ["alter table currency rename to money"],
      ["alter table money rename to currency"],
    ),
    stage: "extract",
    message:
      /Cannot read "currency": there is no such table in the schema "public"/,
  },
  {
    name: "a view in a table's place",
    spoil: inSource(
      [
        "alter table currency rename to money",
        "create view currency as select * from money",
      ],
      ["drop view currency", "alter table money rename to currency"],
    ),
    stage: "extract",
    message: /Cannot read "currency": it is a view/,
  },
  {
    name: "a foreign table in a table's place",
    spoil: inSource(
      [
        "alter table currency rename to money",
        "create foreign data wrapper elsewhere",
        "create server elsewhere foreign data wrapper elsewhere",
        `create foreign table currency (currency_id integer, currency_code text,
          created_at timestamp, last_updated timestamp) server elsewhere`,
      ],
      [
        "drop foreign data wrapper elsewhere cascade",
        "alter table money rename to currency",
      ],
    ),
    stage: "extract",
    message: /Cannot read "currency": it is a foreign table/,
  },
  {
    name: "a table without its key",
    spoil: inSource(
      ["alter table design drop constraint design_pkey"],
      ["alter table design add primary key (design_id)"],
    ),
    stage: "extract",
    message: /"design": no primary key or unique constraint on \(design_id\)/,
  },
  {
    name: "several faults at once",
    spoil: inSource(
      [
        "alter table design drop column file_name",
        "alter table payment alter paid drop not null",
      ],
      [
        "alter table design add file_name text not null default 'x'",
        "alter table payment alter paid set not null",
      ],
    ),
    stage: "extract",
    message: /"design": column[^]*"payment": column/,
  },
  {
    name: "row-level security, which would hide rows",
    spoil: async (platform) => {
      const repair = await asReader(platform, [
        "alter table payment enable row level security",
      ]);
      return async () => {
        await repair();
        await execute(
          platform.source.client,
          "alter table payment disable row level security",
        );
      };
    },
    stage: "extract",
    message: /Cannot read "payment": .*row-level security/,
  },
  {
    name: "a table that the reader may not read",
    spoil: (platform) =>
      asReader(platform, ["revoke select on design from $ROLE"]),
    stage: "extract",
    message: /Cannot read "design": permission denied for table design/,
  },
  {
    name: "a table that is locked for long",
    spoil: async (platform) => {
      platform.set({ sourceLockWaitSeconds: 0.2 });
      const other = await openClient(platform.source.url);
      await execute(other, "begin", "lock table payment");
      return async () => {
        platform.set({ sourceLockWaitSeconds: 30 });
        await other.end();
      };
    },
    stage: "extract",
    message:
      /Cannot lock "payment" for reading: locked by process \d+ of postgres/,
  },
  {
    name: "a server that is down",
    spoil: (platform) => {
      const { source } = platform.config;
      assert(source !== undefined);
      platform.set({ source: { ...source, port: 1 } });
      return Promise.resolve(() => Promise.resolve(platform.set({ source })));
    },
    stage: "extract",
    message: /Cannot connect to 127.0.0.1:1\/test_\w+: .*ECONNREFUSED/,
  },
  {
    name: "a COPY that ends early",
    spoil: async (platform) => {
      const { client } = platform.source;
      await execute(
        client,
        `insert into design select 100 + n, now(), repeat('x', ${LONG_ROW_CHARACTERS}),
          '/lib', 'file', now() from generate_series(1, ${LONG_ROWS}) as n`,
      );
      const repair = withConnections(
        platform,
        hearDesigns((message) => {
          if (message === 2) {
            client.query(
              `select pg_terminate_backend(pid) from pg_stat_activity
              where application_name = 'totesys extract'
                and datname = current_database()`,
            );
          }
          return true;
        }),
      );
      return async () => {
        await repair();
        await execute(client, "delete from design where design_id > 100");
      };
    },
    stage: "extract",
    message: /Cannot read "design": .*(terminat|closed|lost)/,
  },
  {
    name: "a COPY of which a row was lost",
    spoil: async (platform) => {
      await execute(
        platform.source.client,
        "update design set file_name = 'another.json'",
      );
      return withConnections(platform, hearDesigns((message) => message !== 3));
    },
    stage: "extract",
    message: /Cannot read "design": 2 of 3 rows received/,
  },
];

testBadInputs(CASES);
