"""What was published to stay: kept in a file, so that it can be taken back after a restart."""

from collections.abc import Mapping
import json
import logging
from pathlib import Path
from typing import Any, Final

from ..files import write_whole

_LOGGER = logging.getLogger(__name__)

FILE: Final = "mqtt.json"
VERSION: Final = 1

type Platforms = Mapping[str, str]
"""The platforms of entities, by their keys."""

NONE: Final[Platforms] = {}


class Retained:
    """The retained topics that are on the broker, and the entities that were ever described by each."""

    def __init__(self, folder: Path) -> None:
        """Go on from what was kept in a folder."""
        self._path = folder / FILE
        self.topics: dict[str, Platforms] = self._load()
        """The entities that each topic describes, or has described; none where it is no discovery."""
        self._saved = dict(self.topics)

    def add(self, topic: str, entities: Platforms = NONE) -> None:
        """Note that a topic is on the broker now."""
        self.topics[topic] = entities

    def remove(self, topic: str) -> None:
        """Note that it is not any more."""
        self.topics.pop(topic, None)

    def known(self, topic: str) -> Platforms:
        """Return the entities that were ever described by a topic."""
        return self.topics.get(topic, NONE)

    @property
    def changed(self) -> bool:
        """Whether the file is not up to date."""
        return self.topics != self._saved

    def save(self) -> None:
        """Write the file. A failure is logged."""
        self._saved = dict(self.topics)
        content: Mapping[str, Any] = {"version": VERSION, "topics": self._saved}
        try:
            write_whole(self._path, json.dumps(content))
        except OSError as err:
            _LOGGER.warning("[mqtt] %s could not be written: %s", self._path, err.strerror or err)

    def _load(self) -> dict[str, Platforms]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["version"] == VERSION:
                return {
                    str(topic): {str(key): str(platform) for key, platform in entities.items()}
                    for topic, entities in found["topics"].items()
                }
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as err:
            _LOGGER.warning("[mqtt] %s cannot be read (%s) and is begun anew", self._path, err)
        return {}
