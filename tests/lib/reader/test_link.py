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

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader import (
    bluez,
    discovery,
    link as link_module,
    link_claim,
)
from custom_components.blupow.lib.blupow_ble.reader.discovery import known_device
from custom_components.blupow.lib.blupow_ble.reader.link import BleLink
from custom_components.blupow.lib.blupow_ble.reader.link_errors import explain

ADDRESS = "C4:D3:6A:00:00:35"
PATH = "/org/bluez/hci0/dev_C4_D3_6A_00_00_35"
DEVICE = known_device(ADDRESS, "BTRIC134000035", PATH)


@pytest.fixture(autouse=True)
def _own_claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have a folder for notes that no other test uses, and nobody else who is connected."""

    async def nobody(_: str) -> list[str]:
        return []

    monkeypatch.setattr(link_claim, "_folder", lambda: tmp_path / "links")
    monkeypatch.setattr(link_module, "connected_object_paths", nobody)


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
        (
            BleakDBusError("org.freedesktop.DBus.Error.Spawn.ChildExited", ["exited"]),
            ErrorCode.ADAPTER_UNAVAILABLE,
        ),
        (
            BleakDBusError("org.freedesktop.DBus.Error.NameHasNoOwner", ["x"]),
            ErrorCode.ADAPTER_UNAVAILABLE,
        ),
        (
            BleakDBusError("org.bluez.Error.AuthenticationFailed", ["Authentication Failed"]),
            ErrorCode.PAIRING_REQUIRED,
        ),
        (BleakError("GATT error 5: Insufficient authentication"), ErrorCode.PAIRING_REQUIRED),
        (
            caused(BleakError("x"), BleakError("Insufficient Encryption")),
            ErrorCode.PAIRING_REQUIRED,
        ),
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

    async def there(_: str) -> bool:
        return True

    monkeypatch.setattr(link_module, "establish_connection", establish)
    monkeypatch.setattr(link_module, "retry_delay", lambda _: 0.01)
    monkeypatch.setattr(link_module, "has_adapter", there)
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
    reported: list[int] = []
    link = BleLink(DEVICE, 5, on_attempt=reported.append)
    with pytest.raises(ReaderError) as caught:
        await link.connect()
    assert caught.value.code is code
    assert len(made) == link.attempts == attempts
    assert reported == made
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


IO_ERROR = BleakDBusError("org.bluez.Error.Failed", ["Input/output error"])


@pytest.mark.parametrize(
    ("err", "present", "code"),
    [
        (BleakDeviceNotFoundError(ADDRESS), True, ErrorCode.NOT_ADVERTISING),
        (BleakDeviceNotFoundError(ADDRESS), False, ErrorCode.ADAPTER_UNAVAILABLE),
        (IO_ERROR, True, ErrorCode.CONNECT_FAILED),
        (IO_ERROR, False, ErrorCode.ADAPTER_UNAVAILABLE),
        (caused(BleakError("x"), TimeoutError()), True, ErrorCode.CONNECT_TIMEOUT),
        (caused(BleakError("x"), TimeoutError()), False, ErrorCode.ADAPTER_UNAVAILABLE),
    ],
)
async def test_device_that_fails_or_adapter_that_is_off(
    monkeypatch: pytest.MonkeyPatch, err: Exception, present: bool, code: ErrorCode
) -> None:
    """BlueZ says the same in both cases; which one it is, is reported."""

    async def has_adapter(_: str) -> bool:
        return present

    scripted(monkeypatch, err, err)
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

    monkeypatch.setattr(discovery, "BleakScanner", Scanner)
    monkeypatch.setattr(discovery, "SCAN_START_LIMIT", 0.05)
    with pytest.raises(ReaderError, match="another program is scanning"):
        await discovery.scan(0)


@pytest.mark.parametrize("address", ["unix:path={folder}/none", "no address at all"])
async def test_without_a_bus(
    real_sockets: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    """No D-Bus: what is connected is not known, nothing can be released, no adapter is there."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address.format(folder=tmp_path))
    assert await bluez.connected_object_paths(ADDRESS) is None
    assert await bluez.release(ADDRESS, PATH) is None
    assert await bluez.remove(ADDRESS) is None
    assert not await bluez.has_adapter(PATH)


async def test_bus_that_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user the host does not know."""

    async def connect(_: MessageBus) -> None:
        raise AuthError("no entry")

    monkeypatch.setattr(MessageBus, "connect", connect)
    assert await bluez.connected_object_paths(ADDRESS) is None
    assert not await bluez.has_adapter(PATH)


async def test_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems there is no BlueZ to ask."""
    monkeypatch.setattr(bluez.sys, "platform", "darwin")
    assert not bluez.available()
    assert await bluez.connected_object_paths(ADDRESS) == []
    assert await bluez.release(ADDRESS) == []
    assert await bluez.remove(ADDRESS) == []


async def connected(_: str) -> list[str]:
    """Say that BlueZ shows the device as connected."""
    return [PATH]


async def test_device_that_another_program_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither joined nor cut off."""
    made = scripted(monkeypatch, 0.0)
    monkeypatch.setattr(link_module, "connected_object_paths", connected)
    link = BleLink(DEVICE, 5)
    with pytest.raises(ReaderError, match="another program of this machine") as caught:
        await link.connect()
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
    assert made == []
    await link.disconnect()
    assert not link_claim.left_by_us(ADDRESS)


async def test_device_that_another_reader_has() -> None:
    """Two programs of ours do not read it at once."""
    claim = link_claim.LinkClaim.take(ADDRESS)
    with pytest.raises(ReaderError, match="another BluPow program") as caught:
        await BleLink(DEVICE, 5).connect()
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
    assert not link_claim.left_by_us(ADDRESS)  # it lives
    claim.end(disconnected=True)


async def test_link_that_a_dead_reader_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken over; once it was ended cleanly it is nobody's."""
    claim = link_claim.LinkClaim.take(ADDRESS)
    claim.note()
    claim.end(disconnected=False)
    assert link_claim.left_by_us(ADDRESS.lower())
    made = scripted(monkeypatch, 0.0)
    monkeypatch.setattr(link_module, "connected_object_paths", connected)
    link = BleLink(DEVICE, 5)
    client = await link.connect()
    client.disconnect = lambda: asyncio.sleep(0)
    assert made == [1]
    await link.disconnect()
    assert not link_claim.left_by_us(ADDRESS)


@pytest.mark.parametrize(("paths", "ours"), [([PATH], True), (None, True), ([], False)])
async def test_link_that_a_dead_reader_has_left_over_another_adapter(
    monkeypatch: pytest.MonkeyPatch, paths: list[str] | None, ours: bool
) -> None:
    """A connect that fails for its sake leaves it ours, so that a recovery can end it.

    Also where BlueZ did not say in time whether the link still stands.
    """
    claim = link_claim.LinkClaim.take(ADDRESS)
    claim.note()
    claim.end(disconnected=False)
    scripted(monkeypatch, BleakError("x"), BleakError("x"))

    async def reported(_: str) -> list[str] | None:
        return paths

    monkeypatch.setattr(link_module, "connected_object_paths", reported)
    with pytest.raises(ReaderError):
        await BleLink(DEVICE, 5).connect()
    assert link_claim.left_by_us(ADDRESS) is ours


async def test_connect_that_is_cancelled_beside_a_link_of_a_dead_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The link stays ours then, too."""
    claim = link_claim.LinkClaim.take(ADDRESS)
    claim.note()
    claim.end(disconnected=False)
    scripted(monkeypatch, 3600.0)
    monkeypatch.setattr(link_module, "connected_object_paths", connected)
    link = BleLink(DEVICE, 3600)
    connecting = asyncio.create_task(link.connect())
    while not link.attempts:
        await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await link.disconnect()
    assert link_claim.left_by_us(ADDRESS)


def test_note_of_a_dead_reader_is_taken_back() -> None:
    """By who has ended its link; not while another one has the device."""
    claim = link_claim.LinkClaim.take(ADDRESS)
    claim.note()
    link_claim.forget(ADDRESS)
    claim.end(disconnected=False)
    assert link_claim.left_by_us(ADDRESS)
    link_claim.forget(ADDRESS)
    assert not link_claim.left_by_us(ADDRESS)


def test_note_from_before_the_machine_was_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No link outlasts that; where the system does not tell its start, any note counts."""
    for boot in (b"first", b"second", None):
        path = tmp_path / "boot"
        path.unlink(missing_ok=True)
        if boot is not None:
            path.write_bytes(boot)
        monkeypatch.setattr(link_claim, "_BOOT_ID", path)
        assert not link_claim.left_by_us(ADDRESS)
        claim = link_claim.LinkClaim.take(ADDRESS)
        claim.note()
        claim.end(disconnected=False)
        assert link_claim.left_by_us(ADDRESS)


@pytest.mark.parametrize("kind", ["file", "open", "link"])
def test_folder_that_is_not_ours(tmp_path: Path, kind: str) -> None:
    """Nothing is written where somebody else could read or have put something: nothing is claimed."""
    folder = tmp_path / "links"
    match kind:
        case "file":
            folder.write_text("")
        case "open":
            folder.mkdir(mode=0o755)
        case "link":
            (tmp_path / "other").mkdir(mode=0o700)
            folder.symlink_to(tmp_path / "other")
    claim = link_claim.LinkClaim.take(ADDRESS)
    claim.note()
    claim.end(disconnected=False)
    claim.end(disconnected=True)
    assert not link_claim.left_by_us(ADDRESS)


class Remembering:
    """A proxy's client that remembers services until they are forgotten."""

    is_connected = True

    def __init__(self, answer: bool | Exception) -> None:
        """Begin."""
        self.answer = answer
        self.cleared = 0

    async def clear_cache(self) -> bool:
        """Forget."""
        self.cleared += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def disconnect(self) -> None:
        """Disconnect."""


@pytest.mark.parametrize(
    ("answer", "connections"), [(True, 2), (False, 1), (BleakError("gone"), 1)]
)
async def test_fresh_services_are_really_forgotten(
    monkeypatch: pytest.MonkeyPatch, answer: bool | Exception, connections: int
) -> None:
    """Over a proxy: forgotten on the connected client, then connected once more."""
    clients = []

    async def establish(*_: object, **__: object) -> Remembering:
        clients.append(Remembering(answer))
        return clients[-1]

    monkeypatch.setattr(link_module, "establish_connection", establish)
    link = BleLink(BLEDevice(ADDRESS, "x", {"source": "proxy"}), 5, bypass_service_cache=True)
    await link.connect()
    assert [client.cleared for client in clients] == [1, 0][:connections]
    await link.disconnect()


async def test_services_of_bluez_are_left_to_bluez(monkeypatch: pytest.MonkeyPatch) -> None:
    """Home Assistant's client would remove the object under the connection."""
    client = Remembering(answer=True)

    async def establish(*_: object, **__: object) -> Remembering:
        return client

    monkeypatch.setattr(link_module, "establish_connection", establish)
    link = BleLink(DEVICE, 5)
    await link.connect()
    assert not await link.forget_services()
    assert client.cleared == 0
    await link.disconnect()
    assert not await link.forget_services()


async def test_cancelled_while_claiming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays claimed by who was asked to stop."""
    scripted(monkeypatch, 0.0)
    link = BleLink(DEVICE, 5)
    connecting = asyncio.create_task(link.connect())
    await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await link.disconnect()
    link_claim.LinkClaim.take(ADDRESS).end(disconnected=True)


async def test_cancelled_while_disconnecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither then; the note stays, as the link may stand."""
    scripted(monkeypatch, 0.0)
    link = BleLink(DEVICE, 5)
    client = await link.connect()
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.sleep(3600)

    client.disconnect = hang
    ending = asyncio.create_task(link.disconnect())
    await begun.wait()
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert link_claim.left_by_us(ADDRESS)
