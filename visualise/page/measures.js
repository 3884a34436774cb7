// @ts-check
// What the overview measures, and by what: this company's words and columns.

/**
 * A measure: the fact that it sums, its figures, and what it is listed by.
 * Payments are of some kinds, and stacked by state. `moreIsGood` colours changes.
 * @typedef {{
 *   fact: "sales" | "purchases" | "payments",
 *   title: string,
 *   figures: string[],
 *   boards: string[],
 *   kinds?: string[],
 *   moreIsGood?: boolean,
 * }} Measure
 */

/** @type {Record<string, Measure>} */
export const MEASURES = {
  sales: {
    fact: "sales",
    title: "Sales",
    figures: ["value", "orders", "units"],
    boards: ["counterparty", "country", "design", "department", "staff"],
    moreIsGood: true,
  },
  purchases: {
    fact: "purchases",
    title: "Purchases",
    figures: ["value", "orders", "units"],
    boards: ["counterparty", "country", "department", "staff"],
  },
  owed: {
    fact: "payments",
    title: "Owed to us",
    figures: ["value", "payments"],
    boards: ["overdue", "due", "paid"],
    kinds: ["SALES_RECEIPT", "PURCHASE_REFUND"],
  },
  owing: {
    fact: "payments",
    title: "We owe",
    figures: ["value", "payments"],
    boards: ["overdue", "due", "paid"],
    kinds: ["PURCHASE_PAYMENT", "SALES_REFUND"],
  },
};

/** The states of a payment, in the order in which they are stacked. */
export const STATES = ["overdue", "due", "paid"];

/** Kinds of payments, as people say them. */
export const KINDS = /** @type {Record<string, string>} */ ({
  SALES_RECEIPT: "sales receipt",
  SALES_REFUND: "sales refund",
  PURCHASE_PAYMENT: "purchase payment",
  PURCHASE_REFUND: "purchase refund",
});

/** The facts whose records have a history, by their names in addresses. */
export const RECORDS = /** @type {Record<string, string>} */ ({
  sales: "sales-order",
  purchases: "purchase-order",
  payments: "payment",
});
