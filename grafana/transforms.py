"""What Grafana does to tables after the query, in the form of its JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from grafana.texts import Text

Json = dict[str, Any]


def merge() -> Json:
    """All queries in one table, rows with the same labels as one."""
    return {"id": "merge", "options": {}}


def columns(names: Mapping[str, str], *, hidden: Sequence[str] = ()) -> Json:
    """Columns in this order under these names; the hidden ones are left out."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: index for index, name in enumerate((*names, *hidden))},
            "renameByName": {name: Text(shown) for name, shown in names.items() if shown != name},
        },
    }


def sort(column: str, *, descending: bool = False) -> Json:
    """Rows in the order of a column, by the name that it has at this point: a `Text` if it was renamed."""
    return {"id": "sortBy", "options": {"fields": {}, "sort": [{"desc": descending, "field": column}]}}


def limit(rows: int) -> Json:
    """The first rows alone."""
    return {"id": "limit", "options": {"limitField": rows}}


def totals() -> Json:
    """A row for each series, with its name (`Field`) and the sum of its points (`Total`)."""
    return {
        "id": "reduce",
        "options": {"includeTimeField": False, "mode": "seriesToRows", "reducers": ["sum"]},
    }


def matrix(row: str, column: str) -> Json:
    r"""The values as a matrix; its first column is named `row\column`."""
    options = {"columnField": column, "emptyValue": "null", "rowField": row, "valueField": "Value"}
    return {"id": "groupingToMatrix", "options": options}
