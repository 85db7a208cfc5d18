"""The story of a link: one line per change, logged, kept for the diagnostics, and written to a file."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
import logging
from typing import Final

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from .lib.blupow_ble.protocol.text import cleaned
from .log_file import LogFile

_LOGGER = logging.getLogger(__name__)

KEPT_LINES: Final = 100
LONGEST_LINE: Final = 1000


class Topic(StrEnum):
    """What a line is about; each line begins with it, so that a log can be searched by it."""

    POLL = "poll"
    CACHE = "cache"
    PATH = "path"
    WATCHDOG = "watchdog"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Line:
    """One change."""

    at: datetime
    topic: Topic
    text: str


class ConnectionLog:
    """The last changes of one device's link."""

    def __init__(self, name: str) -> None:
        """Begin."""
        self.name = name
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self.file: LogFile | None = None
        """Set while the user wants a log file."""

    @callback
    def note(self, topic: Topic, text: str) -> None:
        """Tell of a change."""
        self.lines.append(Line(dt_util.utcnow(), topic, text))
        self._write(logging.INFO, topic, text)

    @callback
    def detail(self, topic: Topic, text: str) -> None:
        """Tell who looks closely; it is not kept."""
        self._write(logging.DEBUG, topic, text)

    def _write(self, level: int, topic: Topic, text: str) -> None:
        line = f"[{topic}] {cleaned(self.name)}: {cleaned(text, LONGEST_LINE)}"
        _LOGGER.log(level, "%s", line)
        if self.file is not None:
            self.file.write(level, line)
