"""Reads a table with pyiceberg and prints its rows as DuckDB writes values."""

import json
import sys
from datetime import datetime

from pyiceberg.table import StaticTable


def text(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and value.microsecond:
        return str(value).rstrip("0")
    return str(value)


asked = json.loads(sys.argv[1])
properties = {}
if asked["s3"]:
    properties = {
        "s3.endpoint": asked["s3"]["endpoint"],
        "s3.access-key-id": asked["s3"]["accessKeyId"],
        "s3.secret-access-key": asked["s3"]["secretAccessKey"],
        "s3.region": asked["s3"]["region"],
    }
table = StaticTable.from_metadata(asked["table"], properties)
options = {}
if "snapshot" in asked:
    options["snapshot_id"] = asked["snapshot"]
if "batchMax" in asked:
    options["row_filter"] = f"batch <= {asked['batchMax']}"
rows = table.scan(**options).to_arrow().to_pylist()
print(
    json.dumps(
        [
            json.dumps({name: text(value) for name, value in row.items()})
            for row in rows
        ]
    )
)
