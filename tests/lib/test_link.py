"""Links and BlueZ: what exceptions mean, and what is asked of BlueZ directly."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

from bleak.backends.device import BLEDevice
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
)
from bleak_retry_connector import BleakNotFoundError, BleakOutOfConnectionSlotsError
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError
import pytest

from custom_components.blupow.lib.blupow_ble import bluez, link as link_module
from custom_components.blupow.lib.blupow_ble.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.link import BleLink, explain, known_device

ADDRESS = "C4:D3:6A:00:00:35"
PATH = "/org/bluez/hci0/dev_C4_D3_6A_00_00_35"
DEVICE = known_device(ADDRESS, "BTRIC134000035", PATH)


def caused(err: Exception, cause: Exception) -> Exception:
    """Return an exception with a cause."""
    err.__cause__ = cause
    return err


@pytest.mark.parametrize(
    ("err", "code"),
    [
        (BleakDBusError("org.bluez.Error.NotReady", ["x"]), ErrorCode.ADAPTER_UNAVAILABLE),
        (
            BleakDBusError("org.bluez.Error.Failed", ["le-connection-adapter-not-powered"]),
            ErrorCode.ADAPTER_UNAVAILABLE,
        ),
        (
            BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", ["org.bluez"]),
            ErrorCode.ADAPTER_UNAVAILABLE,
        ),
        (
            BleakBluetoothNotAvailableError("x", BleakBluetoothNotAvailableReason.NO_BLUETOOTH),
            ErrorCode.ADAPTER_UNAVAILABLE,
        ),
        (FileNotFoundError("/run/dbus/socket"), ErrorCode.ADAPTER_UNAVAILABLE),
        (PermissionError("/run/dbus/socket"), ErrorCode.ADAPTER_UNAVAILABLE),
        (AuthError("no entry"), ErrorCode.ADAPTER_UNAVAILABLE),
        (BleakOutOfConnectionSlotsError("x"), ErrorCode.NO_SLOT),
        (BleakError("No backend with an available connection slot"), ErrorCode.NO_SLOT),
        (BleakDBusError("org.bluez.Error.InProgress", ["In Progress"]), ErrorCode.HELD_BY_OTHER),
        (
            BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-remote"]),
            ErrorCode.HELD_BY_OTHER,
        ),
        (BleakDeviceNotFoundError(ADDRESS), ErrorCode.NOT_ADVERTISING),
        (BleakNotFoundError("x"), ErrorCode.NOT_ADVERTISING),
        (
            BleakDBusError("org.freedesktop.DBus.Error.UnknownObject", ["x"]),
            ErrorCode.NOT_ADVERTISING,
        ),
        (caused(BleakError("x"), BleakDeviceNotFoundError(ADDRESS)), ErrorCode.NOT_ADVERTISING),
        (BleakError("failed to discover services"), ErrorCode.CONNECT_FAILED),
        (EOFError(), ErrorCode.CONNECT_FAILED),
        (ConnectionResetError("reset"), ErrorCode.CONNECT_FAILED),
    ],
)
def test_what_exceptions_mean(err: Exception, code: ErrorCode) -> None:
    """By type, else by text; the detail stays in the message."""
    explained = explain(err)
    assert explained.code is code
    assert explained.stage is Stage.CONNECT
    assert (str(err) or type(err).__name__) in explained.message


def scripted(monkeypatch: pytest.MonkeyPatch, *outcomes: Exception | float) -> list[int]:
    """Replace the connection itself: each outcome is raised, or takes so many seconds."""
    attempts: list[int] = []

    async def establish(*_: object, **__: object) -> object:
        attempts.append(len(attempts) + 1)
        outcome = outcomes[len(attempts) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        await asyncio.sleep(outcome)
        return SimpleNamespace(is_connected=True)

    monkeypatch.setattr(link_module, "establish_connection", establish)
    monkeypatch.setattr(link_module, "retry_delay", lambda _: 0.01)
    return attempts


@pytest.mark.parametrize(
    ("outcomes", "code", "attempts"),
    [
        ((BleakError("x"), BleakError("y")), ErrorCode.CONNECT_FAILED, 2),
        ((BleakError("x"), EOFError()), ErrorCode.CONNECT_FAILED, 2),
        ((BleakOutOfConnectionSlotsError("x"),), ErrorCode.NO_SLOT, 1),
        ((caused(BleakOutOfConnectionSlotsError("x"), TimeoutError()),), ErrorCode.NO_SLOT, 1),
        ((caused(BleakNotFoundError("x"), TimeoutError()),) * 2, ErrorCode.CONNECT_TIMEOUT, 2),
    ],
)
async def test_fast_failures_are_retried_once(
    monkeypatch: pytest.MonkeyPatch,
    outcomes: tuple[Exception, ...],
    code: ErrorCode,
    attempts: int,
) -> None:
    """Two attempts; none for what two seconds do not cure."""
    made = scripted(monkeypatch, *outcomes)
    told: list[int] = []
    link = BleLink(DEVICE, 5, on_attempt=told.append)
    with pytest.raises(ReaderError) as caught:
        await link.connect()
    assert caught.value.code is code
    assert len(made) == link.attempts == attempts
    assert told == made
    await link.disconnect()


async def test_slow_failure_has_used_the_time_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second attempt where no time is left."""
    made = scripted(monkeypatch, BleakError("x"))
    monkeypatch.setattr(link_module, "retry_delay", lambda _: 6.0)
    with pytest.raises(ReaderError):
        await BleLink(DEVICE, 5).connect()
    assert made == [1]


@pytest.mark.parametrize("client_class", [None, object])
async def test_connection_that_never_comes(
    monkeypatch: pytest.MonkeyPatch, client_class: type | None
) -> None:
    """The timeout holds whoever keeps it."""
    scripted(monkeypatch, 60.0, 60.0)
    monkeypatch.setattr(link_module, "DISCONNECT_BUDGET", 0)
    with pytest.raises(ReaderError) as caught:
        await BleLink(DEVICE, 0.05, client_class=client_class).connect()
    assert caught.value.code is ErrorCode.CONNECT_TIMEOUT
    assert "within 0.05 s" in caught.value.message


@pytest.mark.parametrize("error", [BleakError("x"), EOFError(), OSError("x"), 60.0])
async def test_disconnect_never_fails(
    monkeypatch: pytest.MonkeyPatch, error: Exception | float
) -> None:
    """There is nothing left to do about it."""

    class Client:
        is_connected = True

        async def disconnect(self) -> None:
            if isinstance(error, float):
                await asyncio.sleep(error)
            else:
                raise error

    async def establish(*_: object, **__: object) -> Client:
        return Client()

    monkeypatch.setattr(link_module, "establish_connection", establish)
    monkeypatch.setattr(link_module, "DISCONNECT_BUDGET", 0.05)
    link = BleLink(DEVICE, 5)
    await link.connect()
    await link.disconnect()
    await link.disconnect()


async def test_link_that_dropped_and_was_made_again_while_connecting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bleak calls back for the first one; the second one stands, and is believed until it drops."""
    callbacks = []
    standing = [True]

    async def establish(*_: object, disconnected_callback, **__: object) -> SimpleNamespace:
        callbacks.append(disconnected_callback)
        disconnected_callback(None)
        return SimpleNamespace(is_connected=standing[0], disconnect=lambda: asyncio.sleep(0))

    monkeypatch.setattr(link_module, "establish_connection", establish)
    link = BleLink(DEVICE, 5)
    await link.connect()
    assert not link.disconnected.is_set()
    await link.disconnect()
    await link.connect()
    callbacks[0](None)
    assert not link.disconnected.is_set()
    callbacks[1](None)
    assert link.disconnected.is_set()
    standing[0] = False
    await link.connect()
    assert link.disconnected.is_set()


async def test_forgotten_device_or_missing_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """BlueZ says the same in both cases; which one it is, is told."""
    for present, code in (
        (True, ErrorCode.NOT_ADVERTISING),
        (False, ErrorCode.ADAPTER_UNAVAILABLE),
    ):

        async def has_adapter(_: str, present: bool = present) -> bool:
            return present

        scripted(monkeypatch, BleakDeviceNotFoundError(ADDRESS))
        monkeypatch.setattr(link_module, "has_adapter", has_adapter)
        with pytest.raises(ReaderError) as caught:
            await BleLink(DEVICE, 5).connect()
        assert caught.value.code is code


async def test_device_that_was_not_found_through_bluez(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's device has no path to look at."""
    scripted(monkeypatch, BleakDeviceNotFoundError(ADDRESS))
    with pytest.raises(ReaderError) as caught:
        await BleLink(BLEDevice(ADDRESS, "x", None), 5).connect()
    assert caught.value.code is ErrorCode.NOT_ADVERTISING


async def test_scan_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """BlueZ may never answer a second StartDiscovery; the scan ends all the same."""

    class Scanner:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        async def __aenter__(self) -> None:
            await asyncio.sleep(60)

        async def __aexit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(link_module, "BleakScanner", Scanner)
    monkeypatch.setattr(link_module, "SCAN_START_LIMIT", 0.05)
    with pytest.raises(ReaderError, match="another program is scanning"):
        await link_module.scan(0)


@pytest.mark.parametrize("address", ["unix:path={folder}/none", "no address at all"])
async def test_without_a_bus(
    real_sockets: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    """No D-Bus: nothing is connected, nothing can be released, no adapter is there."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address.format(folder=tmp_path))
    assert await bluez.connected_paths(ADDRESS) == []
    assert await bluez.release(ADDRESS, PATH) == []
    assert await bluez.remove(ADDRESS) == []
    assert not await bluez.has_adapter(PATH)


async def test_bus_that_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user the host does not know."""

    async def connect(_: MessageBus) -> None:
        raise AuthError("no entry")

    monkeypatch.setattr(MessageBus, "connect", connect)
    assert await bluez.connected_paths(ADDRESS) == []
    assert not await bluez.has_adapter(PATH)


async def test_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems there is no BlueZ to ask."""
    monkeypatch.setattr(bluez.sys, "platform", "darwin")
    assert not bluez.available()
    assert await bluez.connected_paths(ADDRESS) == []
    assert await bluez.release(ADDRESS) == []
    assert await bluez.remove(ADDRESS) == []
