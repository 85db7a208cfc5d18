"""The connection log: what goes where, and how a task finds the log of its link."""

import asyncio
import logging

import pytest

from custom_components.blupow.lib.blupow_ble import connection_log
from custom_components.blupow.lib.blupow_ble.connection_log import KEPT_LINES, ConnectionLog, Topic


class Sink:
    """Keeps what is written to a file."""

    def __init__(self) -> None:
        """Start empty."""
        self.lines: list[tuple[int, str]] = []

    def write(self, level: int, line: str) -> None:
        """Keep a line."""
        self.lines.append((level, line))


def test_line_goes_to_log_file_and_diagnostics(caplog: pytest.LogCaptureFixture) -> None:
    """Details are not kept; each line begins with its topic and names the link, on one line."""
    caplog.set_level(logging.DEBUG, connection_log.__name__)
    log, file = ConnectionLog("Van\n[recovery]"), Sink()
    log.file = file
    log.info(Topic.POLL, "no\nreading")
    log.debug(Topic.CACHE, "a detail")
    wanted = [
        (logging.INFO, "[poll] Van [recovery]: no reading"),
        (logging.DEBUG, "[cache] Van [recovery]: a detail"),
    ]
    assert file.lines == wanted
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == wanted
    assert [(line.topic, line.text) for line in log.lines] == [(Topic.POLL, "no\nreading")]


def test_last_lines_are_kept() -> None:
    """So many, the latest."""
    log = ConnectionLog("Van")
    for number in range(KEPT_LINES + 5):
        log.info(Topic.POLL, f"{number}")
    assert [line.text for line in log.lines] == [f"{number}" for number in range(5, KEPT_LINES + 5)]


async def test_tasks_write_to_the_log_of_their_link(caplog: pytest.LogCaptureFixture) -> None:
    """Also those that they begin; two links never mix, and nobody's lines go to the host's log alone."""
    caplog.set_level(logging.DEBUG, connection_log.__name__)
    logs = [ConnectionLog("Van"), ConnectionLog("Boat")]

    async def inner(text: str) -> None:
        connection_log.log(logging.WARNING, Topic.READER, text)

    async def job(text: str) -> None:
        await asyncio.sleep(0)
        await asyncio.create_task(inner(text))

    tasks = []
    for log in logs:
        with log.bound():
            tasks.append(asyncio.create_task(job(f"of the {log.name}")))
    connection_log.debug("of nobody")
    await asyncio.gather(*tasks)
    assert [[line.text for line in log.lines] for log in logs] == [["of the Van"], ["of the Boat"]]
    assert caplog.messages == [
        "[reader] of nobody",
        "[reader] Van: of the Van",
        "[reader] Boat: of the Boat",
    ]
