"""The JSON Schema of lender mappings, from the types themselves: editors complete and check a mapping with it.

It knows each key, type and list of choices. What needs two keys at once (a stream for every channel, formats that
contradict each other) only `turno lenders check` sees.
"""

import json
from typing import Any

from turno_lms.lenders.columns import STANDARD_TYPES
from turno_lms.lenders.schema import Lender

SCHEMA_FILE = "lender.schema.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"
"""The first line of a mapping, by which an editor finds the schema beside it."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema, as plain data."""
    schema = Lender.model_json_schema(by_alias=True)
    columns = schema["$defs"]["StandardColumns"]["properties"]
    by_type = columns["date"]["discriminator"]["mapping"]
    for name, type_name in STANDARD_TYPES.items():
        columns[name] = {"$ref": by_type[type_name]}
    return {"$schema": _DIALECT, **schema, "title": "Lender mapping"}


def schema_text() -> str:
    """The schema as it stands in include/lender_mappings."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
