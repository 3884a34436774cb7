"""Reads tables by a catalogue of pyiceberg's; prints where their metadata is."""

import json
import sys

from pyiceberg.catalog import load_catalog

asked = json.loads(sys.argv[1])
catalogue = load_catalog("test", **asked["properties"])
found = {}
for identifier in catalogue.list_tables(asked["database"]):
    table = catalogue.load_table(identifier)
    found[identifier[-1]] = {
        "metadata": table.metadata_location,
        "rows": table.scan().to_arrow().num_rows,
    }
print(json.dumps(found))
