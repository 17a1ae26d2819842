"""YAML files that people write, read strictly, and places in them named as a person would."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml


class UnreadableError(ValueError):
    """The file cannot be read, or is not YAML; the text is the reason, in one line."""


def read_yaml(file: Path) -> list[Any]:
    """Its documents, without the empty ones. Raises UnreadableError."""
    try:
        text = file.read_text(encoding="utf-8")
        return [document for document in yaml.load_all(text, _OneValuePerKey) if document is not None]
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError(f"is not YAML: {' '.join(str(error).split())}") from None


def place_in(location: tuple[int | str, ...]) -> str:
    """`("spec", "raw", "descriptors", 0, "key")` as `spec.raw.descriptors[0].key`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")


MOST_ALIASES = 20
"""In a document. A few lines of aliases of aliases stand for gigabytes, and whoever reads them stops all else."""


class _OneValuePerKey(yaml.SafeLoader):
    """YAML 1.1, section 3.2.1.3: a mapping's keys are unique. PyYAML alone keeps the last value and says nothing."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise yaml.composer.ComposerError(problem=f"more than {MOST_ALIASES} aliases stand in it")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: list[Hashable] = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.constructor.ConstructorError(problem=f"the key {key!r} stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)
