"""YAML read strictly: safe types only, and a key written twice is an error."""

from collections.abc import Hashable
from typing import Any

import yaml

from iometer_exporter.errors import ConfigError


class _StrictLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if key_node.value in keys:
                line = key_node.start_mark.line + 1
                raise ConfigError(f"line {line}: the key {key_node.value!r} stands twice, remove one")
            keys.add(key_node.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> object:
    """The plain values in a YAML text; raises ConfigError with the line for what is wrong."""
    try:
        # The loader is a SafeLoader: no tag of the file can make it build anything but plain values.
        return yaml.load(text, _StrictLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"{line}not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"not valid YAML: {' '.join(str(error).split())}") from error
