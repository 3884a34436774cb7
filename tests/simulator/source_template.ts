import { makeTemplate } from "../harness/servers/postgres.ts";
import type { SimulatedCompany } from "./simulated_company.ts";

const made = new Map<SimulatedCompany, Promise<string>>();

/** A source's URL with which tables need no schema. */
export function writersUrl(url: string, { schema }: SimulatedCompany): string {
  if (schema === undefined) return url;
  const own = new URL(url);
  own.searchParams.set("options", `-c search_path=${schema}`);
  return own.href;
}

/** The database that every source of a company begins as; made once. */
export function sourceTemplate(company: SimulatedCompany): Promise<string> {
  const template = made.get(company) ?? makeTemplate(company.fillSource);
  made.set(company, template);
  return template;
}
