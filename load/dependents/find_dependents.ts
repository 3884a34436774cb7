import type pg from "pg";
import { query } from "../../lib/postgres/postgres.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { inSavepoint } from "../../lib/postgres/savepoint.ts";
import {
  type ForeignKey,
  readForeignKeys,
} from "../references/foreign_keys.ts";

/** Somebody else's table that loses or changes rows with one of ours. */
export interface Dependent {
  table: string;
  /** The action of its foreign key: `on delete cascade`. */
  action: string;
  /** The number of such rows; undefined where the role may not read them. */
  rows: number | undefined;
}

/** SQL for whether the row of this alias would be deleted. */
type Goes = (alias: string) => string;

const CASCADE = "on delete cascade";
const INSUFFICIENT_PRIVILEGE = /^42501$/;

/**
 * The others' tables that would lose or change rows if the rows of this table
 * were deleted that meet a condition on `present`, directly or through further
 * tables. Tables that would keep all of their rows as they are, are left out.
 */
export async function findDependents(
  client: pg.Client,
  options: { table: string; goes: string },
): Promise<Dependent[]> {
  const keys = (await readForeignKeys(client))
    .filter(({ action, isOfPartition }) => action !== "" && !isOfPartition);
  const [root] = await query(
    client,
    "select to_regclass(quote_ident($1))::text as name",
    [options.table],
  );
  const found = new Map<string, { key: ForeignKey; goes: Goes[] }>();
  const follow = (path: readonly ForeignKey[], goes: Goes): void => {
    const table = path.at(-1)?.referring ?? root?.name;
    for (const key of keys) {
      if (key.referred !== table || path.includes(key)) continue;
      const isFollowing: Goes = (alias) => {
        const before = path.length === 0 ? "present" : `${alias}_`;
        const same = key.pairs.map(([own, other]) =>
          `${alias}.${quoteName(own)} = ${before}.${quoteName(other)}`
        );
        return `exists (select from ${key.referred} as ${before}
          where ${same.join(" and ")} and ${goes(before)})`;
      };
      const name = `${key.referring} ${key.action}`;
      const { goes: others = [] } = found.get(name) ?? {};
      found.set(name, { key, goes: [...others, isFollowing] });
      if (key.action === CASCADE) follow([...path, key], isFollowing);
    }
  };
  follow([], () => options.goes);
  const dependents: Dependent[] = [];
  for (const { key: { referring, action }, goes } of found.values()) {
    let rows: number | undefined;
    await inSavepoint(client, INSUFFICIENT_PRIVILEGE, async () => {
      const [counted] = await query(
        client,
        `select count(*) as rows from ${referring} as dependent
        where ${goes.map((goesOf) => goesOf("dependent")).join(" or ")}`,
      );
      rows = Number(counted?.rows);
    });
    if (rows !== 0) dependents.push({ table: referring, action, rows });
  }
  return dependents;
}
