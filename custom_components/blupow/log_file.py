"""The log file of BluPow's own, for those who want one: written by a thread, rotated by size."""

import logging
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
import sys
from typing import Final, override

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

_LOGGER = logging.getLogger(__name__)

FILE_NAME: Final = f"{DOMAIN}.log"
LARGEST: Final = 1_000_000
"""Bytes; then the file becomes blupow.log.1 and a new one is begun."""
OLDER_FILES: Final = 3

_NAME: Final = f"custom_components.{DOMAIN}"
_FORMAT: Final = "%(asctime)s.%(msecs)03d %(levelname)s [%(name)s] %(message)s"
"""As Home Assistant's own log has it."""


class LogFile:
    """A file that several devices write to; it is open while one of them does."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is written yet."""
        self.path = path
        self._queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
        self._handler = QueueHandler(self._queue)
        self._listener = QueueListener(self._queue, _Writer(path))
        self.users = 0

    def start(self) -> None:
        """Start the thread that writes."""
        self._listener.start()

    def stop(self) -> None:
        """Write what is left and close the file. Blocks until the thread has ended."""
        self._listener.stop()
        for writer in self._listener.handlers:
            writer.close()

    def write(self, level: int, line: str) -> None:
        """Have a line written; never blocks."""
        self._handler.emit(logging.LogRecord(_NAME, level, "", 0, line, None, None))


class _Writer(RotatingFileHandler):
    """Writes the lines; a disk that is full or read-only is logged once, and stops nothing else."""

    def __init__(self, path: Path) -> None:
        # opened with the first line, in the thread
        super().__init__(
            path, maxBytes=LARGEST, backupCount=OLDER_FILES, encoding="utf-8", delay=True
        )
        self.setFormatter(logging.Formatter(_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
        self._told = False

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        if not self._told:
            self._told = True
            _LOGGER.warning("[poll] The log file cannot be written: %s", sys.exception())


_FILE: HassKey[LogFile] = HassKey(f"{DOMAIN}_log_file")


async def open_log_file(hass: HomeAssistant) -> LogFile:
    """Return the log file, begun if nobody else writes to it."""
    if (file := hass.data.get(_FILE)) is None:
        file = hass.data[_FILE] = LogFile(Path(hass.config.path(FILE_NAME)))
        file.start()
    file.users += 1
    return file


async def close_log_file(hass: HomeAssistant) -> None:
    """Write no more; the last one closes the file."""
    file = hass.data[_FILE]
    file.users -= 1
    if not file.users:
        del hass.data[_FILE]
        await hass.async_add_executor_job(file.stop)
