import {
  type Column,
  CreateTableCommand,
  GetTableCommand,
  GlueClient,
  type Table,
  type TableInput,
  UpdateTableCommand,
} from "@aws-sdk/client-glue";
import { messageOf, StageError } from "../errors.ts";
import {
  folderOf,
  isAsFar,
  isSameTable,
  type NamedTable,
  type ShownMetadata,
  type TableCatalogue,
} from "../iceberg/table_catalogue.ts";
import type { TableMetadata } from "../iceberg/table_metadata.ts";
import type { GlueSettings } from "../settings/iceberg_settings.ts";
import { retry } from "../retry.ts";
import { clientConfig, PATIENCE } from "../zone/s3_client_config.ts";
import type { S3Settings } from "../zone/zone.ts";

const ATTEMPTS_MAX = 5;
/** Another run changed the table in between, or made it, or removed it. */
const OVERTAKEN = [
  "AlreadyExistsException",
  "ConcurrentModificationException",
  "EntityNotFoundException",
];
/** Iceberg's types whose names in Hive are others. */
const HIVE_TYPES: Readonly<Record<string, string>> = {
  long: "bigint",
  time: "string",
  timestamptz: "timestamp",
  uuid: "string",
};

/**
 * A database of the Glue Data Catalog that names Iceberg tables' newest metadata
 * to engines, in the form of Iceberg's own GlueCatalog (`metadata_location`,
 * `previous_metadata_location` and `table_type` among a table's parameters, with
 * the `uuid` that its catalogue in Hive keeps).
 */
export class GlueCatalogue implements TableCatalogue {
  readonly #glue: GlueClient;
  readonly #database: string;

  constructor(
    { database, endpoint }: GlueSettings,
    { s3 }: { s3: S3Settings },
  ) {
    this.#database = database;
    this.#glue = new GlueClient(clientConfig({ ...s3, endpoint }, PATIENCE));
  }

  get id(): string {
    return `glue ${this.#database}`;
  }

  async show(name: string, shown: ShownMetadata): Promise<void> {
    try {
      await retry(() => this.#tryShow(name.toLowerCase(), shown), {
        attemptsMax: ATTEMPTS_MAX,
        isRetryable: (error) =>
          error instanceof Error && OVERTAKEN.includes(error.name),
      });
    } catch (cause) {
      if (cause instanceof StageError) throw cause;
      throw new StageError(
        `Cannot show the Iceberg table "${name}" in Glue's database "${this.#database}": ${
          messageOf(cause)
        }`,
        {
          subject: name,
          retryable: true,
          hint:
            'The next run tries again; "Iceberg tables" in docs/querying.md has the rights that it needs',
          cause,
        },
      );
    }
  }

  close(): void {
    this.#glue.destroy();
  }

  async #tryShow(name: string, shown: ShownMetadata): Promise<void> {
    const found = await this.#find(name);
    if (found !== undefined) {
      this.#checkOwn(found, shown);
      if (isAsFar(namedTable(found), shown)) return;
    }
    const TableInput = inputOf(name, shown, found);
    if (found === undefined) {
      await this.#glue.send(
        new CreateTableCommand({ DatabaseName: this.#database, TableInput }),
      );
      return;
    }
    await this.#glue.send(
      new UpdateTableCommand({
        DatabaseName: this.#database,
        TableInput,
        // Glue keeps each version otherwise, up to a limit of its own.
        SkipArchive: true,
        VersionId: found.VersionId,
      }),
    );
  }

  /** Throws a `StageError` if a table of this name belongs to somebody else. */
  #checkOwn(found: Table, shown: ShownMetadata): void {
    const { Name, Parameters } = found;
    const isIceberg = Parameters?.table_type?.toUpperCase() === "ICEBERG";
    const named = namedTable(found);
    if (isIceberg && isSameTable(named, shown)) return;
    throw new StageError(
      `Cannot show the Iceberg table "${Name}" in Glue's database "${this.#database}": a table of this name is there already, ${
        isIceberg ? `at ${folderOf(named.location)}` : "which is not Iceberg's"
      }`,
      {
        subject: Name ?? "",
        hint:
          "Drop that one if nobody needs it, or name another database in ICEBERG_DATABASE: each lake has its own",
      },
    );
  }

  async #find(name: string): Promise<Table | undefined> {
    try {
      const { Table } = await this.#glue.send(
        new GetTableCommand({ DatabaseName: this.#database, Name: name }),
      );
      return Table;
    } catch (error) {
      const isMissing = error instanceof Error &&
        error.name === "EntityNotFoundException";
      if (isMissing) return undefined;
      throw error;
    }
  }
}

function namedTable({ Parameters }: Table): NamedTable {
  return {
    location: Parameters?.metadata_location ?? "",
    uuid: Parameters?.uuid,
  };
}

function inputOf(
  name: string,
  { metadata, uri }: ShownMetadata,
  found: Table | undefined,
): TableInput {
  const before = found?.Parameters?.metadata_location;
  return {
    Name: name,
    TableType: "EXTERNAL_TABLE",
    ...found?.Description === undefined
      ? {}
      : { Description: found.Description },
    ...found?.Owner === undefined ? {} : { Owner: found.Owner },
    Parameters: {
      ...found?.Parameters,
      table_type: "ICEBERG",
      uuid: metadata["table-uuid"],
      metadata_location: uri,
      ...before === undefined ? {} : { previous_metadata_location: before },
    },
    StorageDescriptor: {
      Location: metadata.location,
      Columns: columnsOf(metadata),
    },
  };
}

/** The columns of now, and those that only older snapshots have. */
function columnsOf(metadata: TableMetadata): Column[] {
  const columns = new Map<string, Column>();
  const current = metadata["current-schema-id"];
  const isCurrent = (id: number) => id === current;
  const schemas = metadata.schemas.toSorted((a, b) =>
    Number(isCurrent(b["schema-id"])) - Number(isCurrent(a["schema-id"]))
  );
  for (const { "schema-id": id, fields } of schemas) {
    for (const field of fields) {
      if (columns.has(field.name)) continue;
      columns.set(field.name, {
        Name: field.name,
        Type: HIVE_TYPES[field.type] ?? field.type.replaceAll(" ", ""),
        Parameters: {
          "iceberg.field.id": String(field.id),
          "iceberg.field.optional": String(!field.required),
          "iceberg.field.current": String(isCurrent(id)),
        },
      });
    }
  }
  return [...columns.values()];
}
