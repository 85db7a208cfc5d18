"""Fixtures of all tests."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
import logging
from pathlib import Path
import socket
import tempfile
from typing import override
from unittest.mock import AsyncMock

from habluetooth import get_manager
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
import pytest_socket
from syrupy.assertion import SnapshotAssertion

# Before Home Assistant's test package looks for custom integrations, so that it finds this one.
import custom_components.blupow  # noqa: F401
from custom_components.blupow.bluetooth import device_reader, recovery
from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.protocol import session as session_module
from custom_components.blupow.lib.blupow_ble.reader import bluez, probing, writing
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity

from .helpers.bluetooth import hear, service_info
from .helpers.scripted import Script, ScriptedReader
from .helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME


@pytest.fixture(autouse=True)
def _custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load this integration, where a test has a Home Assistant."""
    if "freezer" in request.fixturenames:
        request.getfixturevalue("freezer")  # before Home Assistant looks at a clock
    if "recorder_mock" in request.fixturenames:
        request.getfixturevalue("recorder_mock")  # before there is a Home Assistant
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@asynccontextmanager
async def _nobody() -> AsyncIterator[None]:
    """Have nobody answer on the system bus."""
    raise OSError("no bus in tests")
    yield


class Complaints(logging.Handler):
    """What Home Assistant logs about this integration's use of it."""

    def __init__(self) -> None:
        """Hear warnings."""
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if f"integration '{DOMAIN}'" in text:
            self.heard.append(text)


@pytest.fixture(autouse=True)
def _complaints() -> Iterator[None]:
    """Fail a test in which Home Assistant complains of this integration, wherever that is logged."""
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    yield
    logging.getLogger().removeHandler(complaints)
    assert complaints.heard == []


@pytest.fixture(autouse=True)
def _system_bus(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Have a machine with a system bus, whatever this one has; nobody answers on it."""
    monkeypatch.setattr(bluez, "BUS_SOCKETS", (tmp_path_factory.getbasetemp(),))
    if "hass" in request.fixturenames and "real_sockets" not in request.fixturenames:
        monkeypatch.setattr(bluez, "_bus", _nobody)


@pytest.fixture(autouse=True)
def _own_claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the notes of links apart from those of other tests, also in processes that a test starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def real_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test reach the processes that it runs on this machine."""
    pytest_socket.enable_socket()
    monkeypatch.setattr(socket.socket, "connect", pytest_socket._true_connect)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Have readings come from a virtual device that fails at will."""
    script = Script()
    monkeypatch.setattr(ScriptedReader, "script", script, raising=False)
    for name in ("PROBE_TIMEOUT", "REQUEST_TIMEOUT"):
        monkeypatch.setattr(probing, name, 0.03)
    # a frozen clock never lets a moment pass
    monkeypatch.setattr(session_module, "DRAIN_QUIET", 0.0)
    monkeypatch.setattr(writing, "READ_BACK_PAUSES", (0.0, 0.0))
    for name in ("IsolatedReader", "InProcessReader"):
        monkeypatch.setattr(device_reader, name, ScriptedReader)
    return script


@pytest.fixture
def heard(hass: HomeAssistant, enable_bluetooth: None, script: Script) -> None:
    """Have the inverter heard by a local adapter, for good.

    Home Assistant forgets devices by the real clock, which tests with a frozen one outrun.
    """
    tracking = get_manager()._cancel_unavailable_tracking
    assert tracking is not None
    tracking.cancel()
    hear(hass, service_info())


@pytest.fixture
def no_bluez(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no BlueZ to talk to, whatever the machine has; nobody is waited for to be heard anew."""
    for name in ("release", "remove"):
        monkeypatch.setattr(bluez, name, AsyncMock(return_value=[]))
    monkeypatch.setattr(recovery, "CONNECTABLE_LIMIT", 0)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return snapshots that leave out what differs from run to run."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def entity_registry_enabled_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all entities enabled."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


@pytest.fixture
def entry() -> MockConfigEntry:
    """Return the entry of the inverter."""
    return MockConfigEntry(
        domain=DOMAIN,
        version=2,
        title=INVERTER_NAME,
        unique_id=INVERTER_ADDRESS,
        data={
            "address": INVERTER_ADDRESS,
            "name": INVERTER_NAME,
            "profile": "inverter",
            "model": "RIV1230RCH",
            "unit_id": 32,
        },
    )


@pytest.fixture
def virtual_entry() -> MockConfigEntry:
    """Return the entry of a virtual inverter."""
    return MockConfigEntry(
        domain=DOMAIN,
        version=2,
        title="Virtual inverter (test mode)",
        unique_id="virtual",
        data={
            "address": "virtual",
            "name": "Virtual inverter (test mode)",
            "profile": "inverter",
            "model": None,
            "unit_id": None,
        },
    )
