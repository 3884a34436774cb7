/** A column of a model, with DuckDB's name of its type. */
export interface ModelColumn {
  name: string;
  type: string;
  /** In a `row` model, the column of the source table that it is. */
  source?: string;
  /** Never null, as the header says or sql/warehouse declares. */
  notNull?: true;
  /** Its type in the warehouse, as sql/warehouse declares it. */
  declared?: string;
  /** The labels of that type, if it is an enum that sql/warehouse makes. */
  labels?: readonly string[];
}
