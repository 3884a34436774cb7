/**
 * The channel of the warehouse on which each load announces the newest batch it
 * committed, and a rebuild or resync that any batch may have changed.
 */
export const LOAD_CHANNEL = "pipeline_batch";
