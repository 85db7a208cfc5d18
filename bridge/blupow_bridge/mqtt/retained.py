"""What was published to stay: kept in a file, so that it can be taken back after a restart."""

from collections.abc import Collection, Mapping
import json
import logging
from pathlib import Path
from typing import Any, Final

from ..files import write_whole

_LOGGER = logging.getLogger(__name__)

FILE: Final = "mqtt.json"
VERSION: Final = 1


class Retained:
    """The retained topics that are on the broker, and the entities that were described by each."""

    def __init__(self, folder: Path) -> None:
        """Go on from what was kept in a folder."""
        self._path = folder / FILE
        stored = self._load()
        self.topics: dict[str, frozenset[str]] = {
            str(topic): frozenset(map(str, keys)) for topic, keys in stored.items()
        }
        """The entities that each topic describes; none where it is no discovery."""
        self._saved = dict(self.topics)

    def add(self, topic: str, keys: Collection[str] = ()) -> None:
        """Note that a topic is on the broker now."""
        self.topics[topic] = frozenset(keys)

    def remove(self, topic: str) -> None:
        """Note that it is not any more."""
        self.topics.pop(topic, None)

    def known(self, topic: str) -> frozenset[str]:
        """Return the entities that were described by a topic."""
        return self.topics.get(topic, frozenset())

    @property
    def changed(self) -> bool:
        """Whether the file is not up to date."""
        return self.topics != self._saved

    def save(self) -> None:
        """Write the file. A failure is logged."""
        content: Mapping[str, Any] = {
            "version": VERSION,
            "topics": {topic: sorted(keys) for topic, keys in self.topics.items()},
        }
        self._saved = dict(self.topics)
        try:
            write_whole(self._path, json.dumps(content))
        except OSError as err:
            _LOGGER.warning("[mqtt] %s could not be written: %s", self._path, err.strerror or err)

    def _load(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["version"] == VERSION:
                return dict(found["topics"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError) as err:
            _LOGGER.warning("[mqtt] %s cannot be read (%s) and is begun anew", self._path, err)
        return {}
