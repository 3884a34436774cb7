/** What to do about a file of a zone that is damaged or gone. */
export const RESTORE_FILE =
  "Restore the file from the bucket's versions or a copy of the zone";
