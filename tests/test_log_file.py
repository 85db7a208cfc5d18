"""The log file of BluPow's own."""

import logging
from pathlib import Path
import sys

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow import log_file
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.reader import process
from custom_components.blupow.log_file import LogFile
from homeassistant.core import HomeAssistant

from .helpers.scripted import Script
from .helpers.timeline import set_up


@pytest.fixture
def folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Have an empty configuration folder."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("heard")
async def test_story_of_two_devices(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    virtual_entry: MockConfigEntry,
    script: Script,
    folder: Path,
) -> None:
    """Every change and every failed poll, whatever Home Assistant's log shows; nothing after the end."""
    logging.getLogger("custom_components.blupow").setLevel(logging.ERROR)
    try:
        await set_up(hass, entry, log_file=True)
        await set_up(hass, virtual_entry, log_file=True)
        script.error = ErrorCode.NO_RESPONSE
        for each in (entry, virtual_entry):
            await each.runtime_data.only.async_refresh()
        await hass.config_entries.async_unload(entry.entry_id)
        await virtual_entry.runtime_data.only.async_refresh()
        await hass.config_entries.async_unload(virtual_entry.entry_id)
    finally:
        logging.getLogger("custom_components.blupow").setLevel(logging.NOTSET)
    lines = [
        line.partition("[custom_components.blupow] ")[2]
        for line in (folder / "blupow.log").read_text().splitlines()
    ]
    name, virtual = "BTRIC134000035", "Virtual inverter (test mode)"
    failed = "failed {} times in a row: no_response: scripted no_response"
    assert lines == [
        f"[poll] {name}: {failed.format(1)}",
        f"[cache] {name}: the last reading serves: scripted no_response",
        f"[poll] {virtual}: {failed.format(1)}",
        f"[cache] {virtual}: the last reading serves: scripted no_response",
        f"[poll] {virtual}: {failed.format(2)}",
    ]
    assert [path.name for path in folder.glob("*.log*")] == ["blupow.log"]


@pytest.mark.usefixtures("heard")
async def test_no_file_without_the_option(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, folder: Path
) -> None:
    """Nor once the option is taken back."""
    await set_up(hass, entry)
    script.error = ErrorCode.NO_RESPONSE
    await entry.runtime_data.only.async_refresh()
    await hass.config_entries.async_unload(entry.entry_id)
    assert list(folder.glob("*.log*")) == []


def test_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is large enough is put aside; three older ones are kept."""
    monkeypatch.setattr(log_file, "LARGEST", 300)
    file = LogFile(tmp_path / "blupow.log")
    file.start()
    for number in range(40):
        file.write(logging.INFO, f"[poll] line {number:02}")
    file.stop()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["blupow.log", "blupow.log.1", "blupow.log.2", "blupow.log.3"]
    assert all(path.stat().st_size <= 300 for path in tmp_path.iterdir())
    assert (tmp_path / "blupow.log").read_text().splitlines()[-1].endswith("[poll] line 39")


def test_disk_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Told once, in a sentence; nobody who writes is disturbed."""
    file = LogFile(tmp_path / "missing" / "blupow.log")
    file.start()
    for number in range(5):
        file.write(logging.INFO, f"line {number}")
    file.stop()
    (reported,) = caplog.messages
    assert reported.startswith("[poll] The log file cannot be written: ")
    assert "No such file or directory" in reported


@pytest.mark.usefixtures("enable_bluetooth")
async def test_lines_of_the_reader_process(
    hass: HomeAssistant,
    virtual_entry: MockConfigEntry,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They stand in the file of the link that the process was started for."""
    code = "import sys; print('out of order', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr(process, "child_command", lambda: (sys.executable, "-c", code))
    virtual_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        virtual_entry, options={"log_file": True, "route": "isolated"}
    )
    await hass.config_entries.async_setup(virtual_entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    link = virtual_entry.runtime_data.only.supervisor.link
    assert link.last_error.code is ErrorCode.READER_CRASHED
    await hass.config_entries.async_unload(virtual_entry.entry_id)
    lines = (folder / "blupow.log").read_text()
    assert "[reader] Virtual inverter (test mode): out of order\n" in lines
