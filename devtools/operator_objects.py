"""`python -m devtools.operator_objects FILE...`: objects of the Prometheus operator against its models.

It runs in an environment of its own, which has `cloudcoil-models-prometheus-operator` and nothing else: that
brings a plugin that pytest cannot load. `.ci/run` makes one. A key that the operator does not know is wrong.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import yaml


def check(document: dict[str, Any]) -> None:
    """Raise an error for an object that the models do not allow."""
    # Not by an import statement: for mypy these models are two megabytes to read.
    models: Any = importlib.import_module("cloudcoil.models.prometheus_operator.v1")
    read = (
        getattr(models, document["kind"])
        .model_validate(document)
        .model_dump(by_alias=True, exclude_unset=True, mode="json")
    )
    # What a model does not know is lost in it.
    if read != document:
        raise ValueError(f"the operator knows only {yaml.safe_dump(read)}")


def main(names: list[str]) -> None:
    """Check each object of the files."""
    for name in names:
        for document in yaml.safe_load_all(Path(name).read_text(encoding="utf-8")):
            try:
                check(document)
            except (AttributeError, ValueError) as error:
                sys.exit(f"{name}: {error}")
            sys.stdout.write(f"{name}: {document['kind']} is good\n")


if __name__ == "__main__":
    main(sys.argv[1:])
