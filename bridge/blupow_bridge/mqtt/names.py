"""The names of entities. `names.json` is written by scripts/describe.py from Home Assistant's texts."""

from functools import cache
import json
from pathlib import Path
from typing import Final

_PATH: Final = Path(__file__).with_name("names.json")


def name_of(platform: str, key: str, number: int | None = None) -> str:
    """Return the name of an entity; `number` is that of the cell, where it is of one. Raises KeyError."""
    return _names()[platform][key].replace("{number}", str(number))


@cache
def _names() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(_PATH.read_text(encoding="utf-8"))
    return found
