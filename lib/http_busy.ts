/** Statuses with which a server says to ask again later. */
export const BUSY_STATUSES: readonly number[] = [429, 502, 503, 504];
