"""The connection to a real broker: how it ends, what is said of it, and how it comes back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import logging
from pathlib import Path
import re
import signal
import subprocess
import sys
import threading
from typing import Any

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from blupow_ble.supervisor.reconnection import STABLE_SESSION, Strategy
from blupow_bridge.config import MqttConfig
from blupow_bridge.mqtt import causes, connection as connection_module, credentials
from blupow_bridge.mqtt.causes import Cause, cause_of
from blupow_bridge.mqtt.connection import BrokerConnection
from blupow_bridge.mqtt.diagnostics import KEPT_EVENTS, ConnectionDiagnostics, EventKind
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
import pytest

from simulator.mosquitto import Mosquitto

from ..helpers.mqtt import Cable
from ..helpers.processes import descriptors

AUTOMATIC = [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Return a broker that runs."""
    found = Mosquitto(tmp_path / "mosquitto")
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def cable(broker: Mosquitto) -> AsyncIterator[Cable]:
    """Return what leads to the broker."""
    found = Cable(broker.port)
    await found.open()
    yield found
    await found.close()


@dataclass
class Pauses:
    """A clock that the test moves on: each pause is noted, and over when the test says so."""

    noted: list[float] = field(default_factory=list)
    _next: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the test goes on, or the event is set."""
        if seconds == 0:
            return
        self.noted.append(seconds)
        self._waiting.set()
        go_on, given = asyncio.create_task(self._next.wait()), asyncio.create_task(event.wait())
        try:
            await asyncio.wait((go_on, given), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.clear()
            self._next.clear()
            for task in (go_on, given):
                task.cancel()
            await asyncio.wait((go_on, given))

    async def reached(self) -> float:
        """Wait until there is a pause; return how long it is to be."""
        async with asyncio.timeout(60):
            await self._waiting.wait()
        return self.noted[-1]

    async def over(self) -> None:
        """Have the time of a pause be over."""
        await self.reached()
        self._next.set()
        async with asyncio.timeout(60):
            while self._next.is_set():
                await asyncio.sleep(0)


@dataclass
class Client:
    """A connection that a test looks at."""

    connection: BrokerConnection
    pauses: Pauses
    sessions: asyncio.Queue[aiomqtt.Client]
    task: asyncio.Task[None]

    async def connected(self) -> aiomqtt.Client:
        """Wait for the next session."""
        async with asyncio.timeout(60):
            return await self.sessions.get()

    async def failures(self, count: int) -> list[float]:
        """Let so many attempts fail; return the pauses before them, without their jitter."""
        first = len(self.pauses.noted)
        for _ in range(count):
            await self.pauses.over()
        await self.pauses.reached()
        return self.pauses.noted[first:]

    @property
    def kinds(self) -> list[EventKind]:
        """What has happened."""
        return [event.kind for event in self.connection.diagnostics.events]


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the pauses be what the rules say."""
    monkeypatch.setattr(connection_module.random, "uniform", lambda low, high: 1.0)


@asynccontextmanager
async def client(port: int, **options: Any) -> AsyncIterator[Client]:
    """Keep a connection to a broker."""
    sessions: asyncio.Queue[aiomqtt.Client] = asyncio.Queue()

    async def session(mqtt: aiomqtt.Client) -> None:
        sessions.put_nowait(mqtt)
        async for _ in mqtt.messages:
            pass

    pauses = Pauses()
    config = MqttConfig(**{"host": "127.0.0.1", "port": port, "keepalive": 5, **options})
    connection = BrokerConnection(config, identifier="test", session=session, wait=pauses.wait)
    task = asyncio.create_task(connection.run())
    try:
        yield Client(connection, pauses, sessions, task)
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()


async def test_connects_and_leaves(broker: Mosquitto) -> None:
    """By MQTT 5, and with a goodbye."""
    async with client(broker.port) as found:
        await found.connected()
        assert found.connection.protocol == "5"
        assert found.kinds == [EventKind.CONNECTED]
    assert "Client test disconnected." in broker.log.read_text()


async def test_broker_restarts(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """The pauses double from one second on; each new cause is logged once."""
    caplog.set_level(logging.INFO)
    async with client(broker.port) as found:
        await found.connected()
        broker.stop(signal.SIGKILL)
        assert await found.pauses.reached() == 1
        assert await found.failures(4) == [2, 4, 8, 16]
        assert found.connection.cause is Cause.UNREACHABLE
        broker.start()
        await found.pauses.over()
        await found.connected()
        assert found.connection.cause is None
        diagnostics = found.connection.diagnostics
        assert dict(diagnostics.drops) == {Cause.CLOSED: 1}
        assert dict(diagnostics.failures) == {Cause.UNREACHABLE: 4}
        assert (diagnostics.connections, diagnostics.sessions.count) == (2, 1)
    lines = [record.message for record in caplog.records if "[mqtt]" in record.message]
    assert [re.sub(r"^\[mqtt\] [\d.:]+: ", "", line) for line in lines] == [
        "connected, by MQTT 5",
        "the connection is lost: the connection has ended (cut)",
        "not connected: the broker cannot be reached (Connection refused)",
        "connected, by MQTT 5",
    ]


async def test_orderly_stop_of_the_broker(broker: Mosquitto) -> None:
    """It says why it goes."""
    async with client(broker.port) as found:
        await found.connected()
        broker.stop()
        await found.pauses.reached()
        (event,) = [item for item in found.connection.diagnostics.events if item.cause]
        assert (event.kind, event.cause) == (EventKind.DISCONNECTED, Cause.CLOSED)
        assert event.message in ("Server shutting down", "cut")


@pytest.mark.parametrize(
    ("strategy", "recoveries"),
    [
        (Strategy.RETRY, [60, *AUTOMATIC, 60]),
        (Strategy.NEW_CLIENT, [60] * 12),
        (Strategy.NEW_CREDENTIALS, [60] * 12),
        (Strategy.BACK_OFF, [60, 120, 240, *[300] * 7, 900, 900]),
    ],
)
async def test_recoveries_that_fail_go_on(
    tmp_path: Path,
    strategy: Strategy,
    recoveries: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One that fails ten times is followed by the next, and the one after the outage works."""
    broker = Mosquitto(tmp_path / "mosquitto")
    async with client(broker.port, strategy=int(strategy)) as found:
        pauses = await found.failures(10 + len(recoveries) - 1)
        assert pauses == AUTOMATIC + recoveries
        diagnostics = found.connection.diagnostics
        assert diagnostics.reconnections_failed == 1
        assert found.connection.reconnection.failed
        warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert len(warnings) == 2
        assert "reconnection failed" in warnings[1]
        broker.start()
        await found.pauses.over()
        await found.connected()
        assert EventKind.RECONNECTION_FAILED in found.kinds
    broker.stop()


async def test_short_sessions_do_not_begin_anew(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that drops a client at once is not asked each second for ever."""
    async with client(cable.port) as found:
        for pause in (1, 2, 4):
            await found.connected()
            cable.cut()
            assert await found.pauses.reached() == pause
            await found.pauses.over()
        await found.connected()
        monkeypatch.setattr(
            connection_module, "monotonic", lambda: found.connection._connected_at + STABLE_SESSION
        )
        cable.cut()
        assert await found.pauses.reached() == 1


async def test_reset(tmp_path: Path) -> None:
    """Whoever asks for it need not wait for the pause."""
    broker = Mosquitto(tmp_path / "mosquitto")
    async with client(broker.port) as found:
        assert (await found.failures(12))[-1] == 240
        broker.start()
        found.connection.reset()
        await found.connected()
        assert not found.connection.reconnection.failed
        assert found.kinds[-2:] == [EventKind.RESET, EventKind.CONNECTED]
        found.connection.reset()  # of no use: there is a connection
        assert found.connection.connected
        broker.stop(signal.SIGKILL)
        assert await found.pauses.reached() == 1


async def test_wrong_credentials(tmp_path: Path) -> None:
    """They are told from a broker that cannot be reached."""
    broker = Mosquitto(tmp_path / "mosquitto", users={"van": "right"})
    broker.start()
    async with client(broker.port, username="van", password="wrong") as found:
        await found.pauses.reached()
        assert found.connection.cause is Cause.CREDENTIALS_REFUSED
        assert found.connection.message == "Not authorized"
    async with client(broker.port, username="van", password="right") as found:
        await found.connected()
    broker.stop()


async def test_credentials_that_have_changed(tmp_path: Path) -> None:
    """The strategies that read them again heal it; the others do not."""
    broker = Mosquitto(tmp_path / "mosquitto", users={"van": "old"})
    broker.start()
    secret = tmp_path / "password"
    for strategy, recovers in (
        (Strategy.RETRY, False),
        (Strategy.NEW_CLIENT, False),
        (Strategy.NEW_CREDENTIALS, True),
        (Strategy.BACK_OFF, True),
    ):
        broker.stop()
        broker.users = {"van": "old"}
        broker.start()
        secret.write_text("old\n")
        options = {"username": "van", "password_file": str(secret), "strategy": int(strategy)}
        async with client(broker.port, **options) as found:
            await found.connected()
            broker.stop(signal.SIGKILL)
            broker.users = {"van": "new"}
            broker.start()
            secret.write_text("new\n")
            await found.failures(10)
            assert found.connection.cause is Cause.CREDENTIALS_REFUSED
            await found.pauses.over()
            if recovers:
                await found.connected()
            else:
                await found.failures(2)
                assert found.connection.cause is Cause.CREDENTIALS_REFUSED
    broker.stop()


async def test_every_third_recovery_reads_the_credentials_again(tmp_path: Path) -> None:
    """Also where the broker was not there to refuse them."""
    broker = Mosquitto(tmp_path / "mosquitto", users={"van": "new"})
    counter = tmp_path / "counter"
    program = f"from pathlib import Path; p = Path({str(counter)!r}); p.open('a').write('x'); print('new')"
    options = {"username": "van", "password_command": (sys.executable, "-c", program)}
    async with client(broker.port, **options) as found:
        counts = []
        for _ in range(10):
            await found.failures(1)
        for _ in range(6):
            await found.failures(1)
            counts.append(len(counter.read_text()))
        assert counts == [1, 1, 2, 2, 2, 3]
        broker.start()
        await found.pauses.over()
        await found.connected()
    broker.stop()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"password_file": "/nowhere/secret"}, "password_file /nowhere/secret: No such file"),
        ({"password_file": "{empty}"}, "it is empty"),
        ({"password_file": "{binary}"}, "it is no UTF-8 text"),
        ({"password_command": ("/nowhere/program",)}, "/nowhere/program: No such file"),
        ({"password_command": (sys.executable, "-c", "raise SystemExit(3)")}, "ended with 3"),
        ({"password_command": (sys.executable, "-c", "")}, "printed nothing"),
    ],
)
async def test_password_that_cannot_be_read(
    broker: Mosquitto, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """It is said which, and tried again: it may be there later."""
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    if (path := options.get("password_file", "")).startswith("{"):
        options = {"password_file": tmp_path / path.strip("{}")}
    async with client(broker.port, username="van", **options) as found:
        await found.failures(1)
        assert found.connection.cause is Cause.CREDENTIALS_UNKNOWN
        assert message in found.connection.message


async def test_password_command_that_takes_too_long(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended, and leaves no process."""
    monkeypatch.setattr(credentials, "COMMAND_LIMIT", 0.1)
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    async with client(broker.port, username="van", password_command=command) as found:
        await found.pauses.reached()
        assert found.connection.cause is Cause.CREDENTIALS_UNKNOWN
        assert "took longer than" in found.connection.message


async def test_password_command_that_starts_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are ended with it; of what it prints, the first line is taken whole."""
    monkeypatch.setattr(credentials, "COMMAND_LIMIT", 2.0)
    mark = "60.0415926"
    config = MqttConfig(
        host="a", username="b", password_command=("sh", "-c", f"sleep {mark} & sleep {mark}")
    )
    with pytest.raises(credentials.CredentialsUnknown, match="took longer"):
        await credentials.read_credentials(config)
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if _holds(path, mark)] == []
    config = MqttConfig(
        host="a", username="b", password_command=("printf", "  correct horse \\nbattery")
    )
    found = await credentials.read_credentials(config)
    assert found.password == "correct horse"


def _holds(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:  # it has just ended
        return False


async def test_stop_while_it_connects(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that connects cannot be cancelled: it is waited for, and nothing is left."""
    connecting, go_on = threading.Event(), threading.Event()
    connect = aiomqtt.Client._client_connect

    def slow(self: aiomqtt.Client) -> None:
        connecting.set()
        go_on.wait(30)
        connect(self)

    monkeypatch.setattr(aiomqtt.Client, "_client_connect", slow)
    connection = BrokerConnection(
        MqttConfig(host="127.0.0.1", port=broker.port), identifier="late", session=_forever
    )
    task = asyncio.create_task(connection.run())
    await asyncio.to_thread(connecting.wait)
    task.cancel()
    go_on.set()
    await asyncio.wait((task,))
    assert task.cancelled()
    async with asyncio.timeout(20):
        while "Client late disconnected." not in broker.log.read_text():
            await asyncio.sleep(0.05)
    assert not [item for item in asyncio.all_tasks() if "_misc_loop" in repr(item)]


async def _forever(client: aiomqtt.Client) -> None:
    async for _ in client.messages:
        pass


async def test_reset_that_came_too_late(cable: Cable) -> None:
    """While an attempt was under way that has worked: the next pause is as long as ever."""
    async with client(cable.port) as found:
        found.connection.reset()
        await found.connected()
        cable.cut()
        assert await found.pauses.reached() == 1
        assert EventKind.RESET not in found.kinds[1:]


async def test_frozen_broker(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-open link is noticed by what is not acknowledged, and by pings."""
    async with client(broker.port) as found:
        mqtt = await found.connected()
        broker.freeze()
        mqtt.timeout = 1.0
        with pytest.raises(aiomqtt.MqttError, match="Operation timed out"):
            await mqtt.publish("topic", "payload", qos=1)
        await found.pauses.reached()
        assert found.connection.cause is Cause.NO_ANSWER
        monkeypatch.setattr(connection_module, "CONNECT_LIMIT", 1.0)
        await found.failures(1)
        assert found.connection.cause is Cause.NO_ANSWER
        broker.thaw()
        await found.pauses.over()
        await found.connected()


async def test_cable_that_swallows(cable: Cable) -> None:
    """As an access point does that has lost its way to the network."""
    async with client(cable.port) as found:
        await found.connected()
        cable.swallows = True
        await found.pauses.reached()
        assert found.connection.cause is Cause.NO_ANSWER
        cable.swallows = False
        await found.pauses.over()
        await found.connected()
        cable.cut()
        await found.pauses.reached()
        assert found.connection.cause is Cause.CLOSED


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"])
async def test_broker_without_mqtt_5(broker: Mosquitto, cable: Cable, answer: bytes) -> None:
    """It is spoken to by 3.1.1, at once; whoever asks for 5 alone is told."""
    cable.refuse_5 = answer
    async with client(cable.port) as found:
        await found.connected()
        assert found.connection.protocol == "3.1.1"
        assert found.pauses.noted == []
    assert re.search(r"test \(p2, ", broker.log.read_text())
    async with client(cable.port, protocol="5") as found:
        await found.pauses.reached()
        assert found.connection.cause is Cause.PROTOCOL_REFUSED
    async with client(broker.port, protocol="3.1.1") as found:
        await found.connected()
        assert found.connection.protocol == "3.1.1"


async def test_another_client_of_the_same_name(broker: Mosquitto) -> None:
    """It takes the connection over: that is no reason to take it back each second."""
    async with client(broker.port) as found:
        await found.connected()
        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="test"):
            assert await found.pauses.reached() == 1


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("Session taken over", Cause.TAKEN_OVER),
        ("Keep alive timeout", Cause.NO_ANSWER),
        ("Server shutting down", Cause.CLOSED),
        ("Unspecified error", Cause.CLOSED),
        ("Not authorized", Cause.CREDENTIALS_REFUSED),
    ],
)
def test_reasons_of_a_goodbye(name: str, cause: Cause) -> None:
    """As a broker gives them by MQTT 5."""
    reason = ReasonCode(PacketTypes.DISCONNECT, aName=name)
    assert cause_of(aiomqtt.MqttCodeError(reason))[0] is cause
    wrapped = aiomqtt.MqttError("Disconnected during message iteration")
    wrapped.__cause__ = aiomqtt.MqttCodeError(reason)
    assert cause_of(wrapped)[0] is cause


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("Bad user name or password", Cause.CREDENTIALS_REFUSED),
        ("Not authorized", Cause.CREDENTIALS_REFUSED),
        ("Unsupported protocol version", Cause.PROTOCOL_REFUSED),
        ("Server busy", Cause.REFUSED),
        ("Banned", Cause.REFUSED),
    ],
)
def test_reasons_of_a_refusal(name: str, cause: Cause) -> None:
    """As a broker gives them by MQTT 5, and paho those of 3.1.1."""
    reason = ReasonCode(PacketTypes.CONNACK, aName=name)
    assert cause_of(MqttConnectError(reason)) == (cause, name)


def make_certificates(folder: Path) -> None:
    """Make an authority, and what it has signed for a broker and for a client; and another authority."""
    folder.mkdir(exist_ok=True)

    def run(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        run(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "30"),
            *("-subj", f"/CN={name}"),
        )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        run(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
        )
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-out", f"{name}.crt", "-days", "30", "-extfile", "names"),
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def tls_broker(folder: Path, certificates: Path, *options: str) -> Mosquitto:
    """Return a broker that speaks TLS."""
    return Mosquitto(
        folder,
        options=[
            f"cafile {certificates / 'ca.crt'}",
            f"certfile {certificates / 'server.crt'}",
            f"keyfile {certificates / 'server.key'}",
            *options,
        ],
    )


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
async def test_certificates(tmp_path: Path, certificates: Path, version: str) -> None:
    """A refused one is told from wrong credentials and from a broker that is not there."""
    broker = tls_broker(
        tmp_path / "mosquitto", certificates, "require_certificate true", f"tls_version {version}"
    )
    broker.start()
    ours = {"certificate": certificates / "client.crt", "key": certificates / "client.key"}
    tls: dict[str, Any] = {"tls": True, "ca_file": certificates / "ca.crt"}
    async with client(broker.port, **tls, **ours) as found:
        await found.connected()
    async with client(broker.port, **tls) as found:
        await found.pauses.reached()
        assert found.connection.cause is Cause.CERTIFICATE_REFUSED
        assert found.connection.message.startswith("that of this bridge, by the broker")
    async with client(broker.port, tls=True, ca_file=certificates / "other.crt", **ours) as found:
        await found.pauses.reached()
        assert found.connection.cause is Cause.CERTIFICATE_REFUSED
        assert found.connection.message.startswith("that of the broker")
    broker.stop()


async def test_nothing_is_left_of_failed_attempts(
    tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor, whatever the broker does."""
    monkeypatch.setattr(connection_module, "CONNECT_LIMIT", 1.0)
    broker = tls_broker(tmp_path / "mosquitto", certificates, "require_certificate true")
    broker.start()
    async with client(broker.port, tls=True, ca_file=certificates / "ca.crt") as found:
        await found.failures(1)
        before = descriptors()
        await found.failures(5)
        assert descriptors() <= before
    broker.stop()


async def test_tls_where_there_is_none(broker: Mosquitto, certificates: Path) -> None:
    """It is said, and a file that is no certificate too."""
    async with client(broker.port, tls=True, ca_file=certificates / "ca.crt") as found:
        await found.pauses.reached()
        assert found.connection.cause in (Cause.TLS_FAILED, Cause.CLOSED)
    for options, message in (
        ({"ca_file": certificates / "nothing"}, "No such file"),
        ({"ca_file": certificates / "names"}, "no certificate"),
        ({"certificate": certificates / "names", "key": certificates / "ca.key"}, "certificate"),
    ):
        async with client(broker.port, tls=True, **options) as found:
            await found.pauses.reached()
            assert found.connection.cause is Cause.CERTIFICATE_UNUSABLE
            assert message in found.connection.message


async def test_authority_that_has_changed(tmp_path: Path, certificates: Path) -> None:
    """A new client reads it again; one that only begins anew does not."""
    folder = tmp_path / "changing"
    make_certificates(folder)
    (folder / "mine.crt").write_bytes((folder / "ca.crt").read_bytes())
    for strategy, recovers in ((Strategy.RETRY, False), (Strategy.NEW_CLIENT, True)):
        broker = tls_broker(tmp_path / f"mosquitto{strategy}", folder)
        broker.start()
        (folder / "mine.crt").write_bytes((folder / "ca.crt").read_bytes())
        options = {"tls": True, "ca_file": folder / "mine.crt", "strategy": int(strategy)}
        async with client(broker.port, **options) as found:
            await found.connected()
            broker.stop()
            make_certificates(folder)
            (folder / "mine.crt").write_bytes((folder / "ca.crt").read_bytes())
            broker.start()
            await found.failures(10)
            assert found.connection.cause is Cause.CERTIFICATE_REFUSED
            await found.pauses.over()
            if recovers:
                await found.connected()
            else:
                await found.failures(2)
                assert found.connection.cause is Cause.CERTIFICATE_REFUSED
        broker.stop()


async def test_fault_of_the_session(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the bridge does not end the connection for good, and is logged once."""
    count = 0

    async def session(_: aiomqtt.Client) -> None:
        nonlocal count
        count += 1
        raise ZeroDivisionError("here")

    pauses = Pauses()
    config = MqttConfig(host="127.0.0.1", port=broker.port)
    connection = BrokerConnection(config, identifier="x", session=session, wait=pauses.wait)
    task = asyncio.create_task(connection.run())
    for _ in range(3):
        await pauses.over()
    await pauses.reached()
    assert count == 4
    assert "ZeroDivisionError" in connection.message
    assert len([record for record in caplog.records if record.exc_info]) == 1
    task.cancel()
    await asyncio.wait((task,))


def test_events_are_kept_up_to_a_thousand() -> None:
    """The counts go on."""
    diagnostics = ConnectionDiagnostics()
    for number in range(KEPT_EVENTS + 200):
        diagnostics.note(
            EventKind.DISCONNECTED, cause=Cause.CLOSED, message=str(number), seconds=float(number)
        )
    report = diagnostics.report
    assert len(report["events"]) == KEPT_EVENTS
    assert report["events"][0]["message"] == "1199"
    assert report["drops"] == {"closed": 1200}
    assert report["sessions"] == {
        "ended": 1200,
        "average": 599.5,
        "shortest": 0.0,
        "longest": 1199.0,
    }


def test_causes_have_their_words() -> None:
    """Each of them, for people."""
    assert set(causes.TEXTS) == set(Cause)
