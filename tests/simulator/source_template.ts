import { makeTemplate } from "../harness/postgres.ts";
import type { SimulatedCompany } from "./simulated_company.ts";

const made = new Map<SimulatedCompany, Promise<string>>();

/** The database that every source of a company begins as; made once. */
export function sourceTemplate(company: SimulatedCompany): Promise<string> {
  const template = made.get(company) ?? makeTemplate(company.fillSource);
  made.set(company, template);
  return template;
}
