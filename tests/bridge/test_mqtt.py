"""What a bridge publishes to a real broker, and the commands that it takes from it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
import json
import logging
from pathlib import Path
import signal
import socket
import time
from typing import Any

import aiomqtt
from blupow_ble.supervisor.protocols import LinkEvent
from blupow_bridge import service
from blupow_bridge.config import Config, DeviceConfig
from blupow_bridge.mqtt import (
    asyncapi,
    command_queue,
    commands,
    connection,
    publisher as publisher_module,
)
from blupow_bridge.mqtt.command_queue import MOST_COMMANDS
from blupow_bridge.mqtt.outbox import Outbox, Outgoing
from blupow_bridge.mqtt.publisher import Publisher
from blupow_bridge.mqtt.topics import Topics
import jsonschema_rs
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
import pytest

from simulator.mosquitto import Mosquitto

from ..helpers.mqtt import Cable, Listener, listening
from .conftest import Served, serve

FAMILIES = ("inverter", "controller", "dcdc", "battery", "shunt")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Return a broker that runs, and keeps what is retained over a restart."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    found = Mosquitto(folder, options=["persistence true", f"persistence_location {folder}/"])
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def listener(broker: Mosquitto) -> AsyncIterator[Listener]:
    """Return who listens to everything."""
    async with listening(broker.port) as found:
        yield found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is spread over seconds follow soon."""
    monkeypatch.setattr(publisher_module, "BIRTH_SPREAD", 0.01)
    monkeypatch.setattr(connection.random, "uniform", lambda low, high: low if low == 0 else 1.0)


def section(port: int, **options: Any) -> dict[str, Any]:
    """Return the section of a configuration."""
    return {"host": "127.0.0.1", "port": port, **options}


INVERTER = {"name": "Inverter", "virtual": True, "profile": "inverter", "allow_changes": True}


@asynccontextmanager
async def publishing(
    folder: Path, port: int, *devices: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[Served, Publisher]]:
    """Run a bridge that publishes."""
    async with serve(folder, devices or (INVERTER,), mqtt=section(port, **options)) as served:
        await served.wait_read()
        assert served.hub.mqtt is not None
        yield served, served.hub.mqtt


def topics_of(publisher: Publisher, device_id: str = "virtual_inverter") -> tuple[str, str, str]:
    """Return where a device is, is changed, and answers."""
    topics = publisher.topics
    return topics.state(device_id), topics.set(device_id), topics.answer(device_id)


async def until_described(listener: Listener, publisher: Publisher) -> None:
    """Wait until everything was published, with the model that the devices have named."""
    await listener.until(
        lambda: (
            listener.last.get(publisher.topics.availability) == b"online"
            and all(
                listener.json(topic)["available"] for topic in listener.last if "/state" in topic
            )
            and not len(publisher.outbox)
        )
    )


async def test_everything_is_published(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """States, discovery, and availability, all retained; nothing else."""
    async with publishing(tmp_path, broker.port) as (served, publisher):
        await until_described(listener, publisher)
        state, _, _ = topics_of(publisher)
        device = served.hub.devices["virtual_inverter"]
        found = listener.json(state)
        assert found["values"]["battery_voltage"] == device.supervisor.own.value("battery_voltage")
        assert found["settings"]["output_priority"] == "battery_first"
        assert found["faults"]["worst_fault"] == "none"
        assert (found["active_faults"], found["units"]) == ([], {})
        assert found["link"]["connection_status"] == "test_mode"
        bridge = served.hub.id
        assert set(listener.last) == {
            publisher.topics.availability,
            state,
            f"homeassistant/device/blupow_{bridge}/config",
            f"homeassistant/device/blupow_{bridge}_virtual_inverter/config",
        }
        async with listening(broker.port) as late:
            await late.until(lambda: len(late.last) == 4)
            assert all(message.retain for _, message in late.messages)
        assert publisher.report["waiting"] == 0
    await listener.until(lambda: listener.last[publisher.topics.availability] == b"offline")


async def test_last_will(
    tmp_path: Path, broker: Mosquitto, listener: Listener, real_cable: Cable
) -> None:
    """A bridge that is cut off is offline by itself, and back with its states."""
    async with publishing(tmp_path, real_cable.port) as (_, publisher):
        await until_described(listener, publisher)
        count = len(listener.of("/state"))
        real_cable.cut()
        await listener.until(lambda: listener.last[publisher.topics.availability] == b"offline")
        await listener.until(lambda: listener.last[publisher.topics.availability] == b"online")
        assert len(listener.of("/state")) > count
        assert publisher.report["drops"] == {"closed": 1}


@pytest.fixture
async def real_cable(broker: Mosquitto) -> AsyncIterator[Cable]:
    """Return what leads to the broker."""
    found = Cable(broker.port)
    await found.open()
    yield found
    await found.close()


@pytest.mark.parametrize("persistent", [True, False])
async def test_broker_that_restarts(tmp_path: Path, *, persistent: bool) -> None:
    """Subscriptions, discovery, availability, and states are there again, as they are now."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    options = ["persistence true", f"persistence_location {folder}/"] if persistent else []
    broker = Mosquitto(folder, options=options)
    broker.start()
    async with publishing(tmp_path, broker.port) as (served, publisher):
        async with listening(broker.port) as listener:
            await until_described(listener, publisher)
            before = dict(listener.last)
        broker.stop(signal.SIGKILL)
        async with asyncio.timeout(20):
            while publisher.connection.connected:
                await asyncio.sleep(0.01)
        await served.hub.devices["virtual_inverter"].supervisor.poll()
        assert len(publisher.outbox) == 0  # the state will be published as it is by then
        broker.start()
        publisher.connection.reset()
        async with listening(broker.port) as listener:
            await until_described(listener, publisher)
            state, command, answer = topics_of(publisher)
            assert set(listener.last) == set(before)
            read = served.hub.devices["virtual_inverter"].supervisor.link.snapshot
            assert read is not None
            await listener.until(
                lambda: (
                    listener.json(state)["read_at"] == read.taken_at.isoformat(timespec="seconds")
                )
            )
            await listener.publish(command, {"changes": {"beeper": False}})
            await listener.until(lambda: answer in listener.last)
            assert listener.json(answer)["result"] == "written"
    broker.stop()


async def test_frozen_broker(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does not acknowledge in time waits, in its order, and comes once it does."""
    monkeypatch.setattr(connection, "ACKNOWLEDGE_LIMIT", 1.0)
    monkeypatch.setattr(connection, "CONNECT_LIMIT", 1.0)
    async with (
        listening(broker.port) as listener,
        publishing(tmp_path, broker.port) as (_, publisher),
    ):
        await until_described(listener, publisher)
        broker.freeze()
        for number in range(3):
            publisher.device_event("virtual_inverter", LinkEvent.RECOVERY, {"number": number})
        async with asyncio.timeout(30):
            while not publisher.report["drops"]:
                await asyncio.sleep(0.05)
        assert publisher.report["drops"] == {"no_answer": 1}
        for number in range(3, 6):
            publisher.device_event("virtual_inverter", LinkEvent.RECOVERY, {"number": number})
        broker.thaw()
        publisher.connection.reset()
        await listener.until(
            lambda: [item["number"] for item in listener.of("/event")][-6:] == list(range(6)),
            60,
        )


async def test_what_others_retain_and_full_queues(tmp_path: Path) -> None:
    """A client that was away while the broker's queue ran over has the right states afterwards."""
    broker = Mosquitto(tmp_path / "mosquitto", options=["max_queued_messages 3"])
    broker.options.insert(0, "max_queued_bytes 0")
    broker.start()
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    away: dict[str, Any] = {"identifier": "away", "clean_start": False, "properties": properties}
    async with publishing(tmp_path, broker.port) as (served, publisher):
        async with listening(broker.port, **away) as listener:
            await until_described(listener, publisher)
        device = served.hub.devices["virtual_inverter"]
        for _ in range(10):
            await device.supervisor.poll()
        async with listening(broker.port, **away) as listener:
            state, _, _ = topics_of(publisher)
            snapshot = device.supervisor.link.snapshot
            assert snapshot is not None
            wanted = snapshot.taken_at.isoformat(timespec="seconds")
            await listener.until(
                lambda: state in listener.last and listener.json(state)["read_at"] == wanted
            )
            values = device.supervisor.own.value("battery_voltage")
            assert listener.json(state)["values"]["battery_voltage"] == values
    broker.stop()


# Commands


async def test_changes(tmp_path: Path, broker: Mosquitto, listener: Listener) -> None:
    """Each is sent once, read back, answered, and published; also where the sender wants the answer."""
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        state, command, answer = topics_of(publisher)
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = "mine/answers"
        properties.CorrelationData = b"17"
        await listener.publish(
            command,
            {"id": "a", "changes": {"output_priority": "grid_first"}, "sent": time.time()},
            properties=properties,
        )
        await listener.until(lambda: "mine/answers" in listener.last)
        found = listener.json(answer)
        assert (found["id"], found["result"], found["error"]) == ("a", "written", None)
        (setting,) = found["settings"]
        assert (setting["before"], setting["now"]) == ("battery_first", "grid_first")
        (reply,) = [message for topic, message in listener.messages if topic == "mine/answers"]
        assert reply.properties.CorrelationData == b"17"
        assert json.loads(reply.payload) == found
        await listener.until(
            lambda: listener.json(state)["settings"]["output_priority"] == "grid_first"
        )
        assert not any(
            message.retain for topic, message in listener.messages if topic.endswith("/answer")
        )


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        ({"changes": {"beeper": True}, "sent": -400}, "late", "s ago"),
        ({"changes": {}}, "bad_request", "changes"),
        ({"changes": {"beeper": None}}, "bad_request", "changes"),
        ({"changes": {"beeper": "x" * 65}}, "bad_request", "changes"),
        ({"changes": {f"a{n}": 1 for n in range(21)}}, "bad_request", "changes"),
        ({"other": 1, "changes": {"beeper": True}}, "bad_request", "other"),
        (b"{", "bad_request", "JSON"),
        (b"\xff\xfe", "bad_request", "JSON"),
        ({"changes": {"charge_current": 10**400}}, "bad_request", "changes"),
        ({"changes": {"beeper": True}, "sent": 1e12}, "bad_request", "in seconds since 1970"),
        (b" " * 20_000, "too_large", "16384"),
        ({"unit": "9", "changes": {"beeper": True}}, "no_such_unit", "'9'"),
        (b'{"changes": {"charge_current": NaN}}', "bad_request", ""),
    ],
)
async def test_commands_that_are_refused(
    tmp_path: Path, broker: Mosquitto, payload: Any, code: str, words: str
) -> None:
    """Each is told what is wrong with it; nothing is sent to the device."""
    if isinstance(payload, dict) and "sent" in payload:
        payload = payload | {"sent": time.time() + payload["sent"]}
    async with (
        listening(broker.port) as listener,
        publishing(tmp_path, broker.port) as (_, publisher),
    ):
        await until_described(listener, publisher)
        state, command, answer = topics_of(publisher)
        sent = payload if isinstance(payload, bytes) else json.dumps(payload)
        await listener.client.publish(command, sent, qos=1)
        await listener.until(lambda: answer in listener.last)
        found = listener.json(answer)
        assert (found["result"], found["error"]["code"]) == ("failed", code)
        assert words in found["error"]["message"]
        assert listener.json(state)["settings"]["beeper"] is True


async def test_command_that_is_as_old_as_allowed(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """And one of a clock that is ahead."""
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        _, command, answer = topics_of(publisher)
        for beeper, age in ((False, 290), (True, -4000)):
            listener.last.pop(answer, None)
            await listener.publish(
                command, {"changes": {"beeper": beeper}, "sent": time.time() - age}
            )
            await listener.until(lambda: answer in listener.last)
            assert listener.json(answer)["result"] == "written"


async def test_command_that_waits_too_long(
    tmp_path: Path, broker: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For another one of the same device: it is not carried out any more."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    carry_out = command_queue.carry_out

    async def slow(*arguments: Any) -> dict[str, Any]:
        begun.set()
        await go_on.wait()
        return await carry_out(*arguments)

    monkeypatch.setattr(command_queue, "carry_out", slow)
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        _, command, _ = topics_of(publisher)
        await listener.publish(command, {"id": 1, "changes": {"beeper": False}})
        await begun.wait()
        await listener.publish(command, {"id": 2, "changes": {"beeper": True}})
        async with asyncio.timeout(20):
            while publisher._queue.waiting["virtual_inverter"] < 2:
                await asyncio.sleep(0.01)
        later = time.time() + commands.LATEST + 1
        monkeypatch.setattr(command_queue.time, "time", lambda: later)
        go_on.set()
        await listener.until(lambda: len(listener.of("/answer")) == 2)
        first, second = listener.of("/answer")
        assert (first["id"], first["result"]) == (1, "written")
        assert (second["id"], second["error"]["code"]) == (2, "late")


@pytest.mark.parametrize("topic", ["a/+/b", "a/#", "{bridge}/availability", "{bridge}/x/set"])
async def test_answers_to_topics_that_are_none(
    tmp_path: Path, broker: Mosquitto, listener: Listener, topic: str
) -> None:
    """The answer goes where it always goes, and the connection stays."""
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        _, command, answer = topics_of(publisher)
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = topic.format(bridge=publisher.topics.bridge)
        await listener.publish(command, {"changes": {"beeper": False}}, properties=properties)
        await listener.until(lambda: answer in listener.last)
        await listener.publish(command, {"changes": {"beeper": True}})
        await listener.until(lambda: len(listener.of("/answer")) == 2)
        assert publisher.report["connections"] == 1
        assert listener.last[publisher.topics.availability] == b"online"


async def test_command_under_way_when_the_configuration_changes(
    tmp_path: Path, broker: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is carried out to its end, and answered."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    carry_out = command_queue.carry_out

    async def slow(*arguments: Any) -> dict[str, Any]:
        begun.set()
        await go_on.wait()
        return await carry_out(*arguments)

    monkeypatch.setattr(command_queue, "carry_out", slow)
    async with publishing(tmp_path, broker.port) as (served, publisher):
        await until_described(listener, publisher)
        _, command, answer = topics_of(publisher)
        await listener.publish(command, {"id": 1, "changes": {"beeper": False}})
        await begun.wait()
        config = served.hub.config
        reload = asyncio.create_task(served.hub.reload(config.model_copy(update={"name": "Boat"})))
        async with asyncio.timeout(20):
            while not publisher._queue.closing:
                await asyncio.sleep(0.01)
        go_on.set()
        await reload
        await listener.until(lambda: answer in listener.last)
        assert listener.json(answer)["result"] == "written"
        assert served.hub.mqtt is not publisher


async def test_what_the_broker_does_not_take(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted and told once: aiomqtt takes a refusal for an acknowledgment."""
    rules = tmp_path / "rules"
    rules.write_text("topic read #\n")
    broker = Mosquitto(tmp_path / "mosquitto", options=[f"acl_file {rules}"])
    broker.start()
    async with publishing(tmp_path, broker.port) as (served, publisher):
        async with asyncio.timeout(20):
            while publisher.report["refused"] < 4:
                await asyncio.sleep(0.05)
        await served.hub.devices["virtual_inverter"].supervisor.poll()
        async with asyncio.timeout(20):
            while publisher.report["refused"] < 5:
                await asyncio.sleep(0.05)
        told = [record.message for record in caplog.records if "does not take" in record.message]
        assert len(told) == 1
        assert "Not authorized" in told[0]
    broker.stop()


async def test_session_that_the_bridge_ends(
    tmp_path: Path, broker: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes its states for current ones: there is no last will after a goodbye."""
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        monkeypatch.setattr(
            publisher.connection, "_wait", lambda event, seconds: asyncio.Event().wait()
        )

        def lost(*_: Any) -> list[Outgoing]:
            raise aiomqtt.MqttError("here")

        monkeypatch.setattr(Outbox, "take", lost)
        publisher.device_event("virtual_inverter", LinkEvent.RECOVERY, {})
        await listener.until(lambda: listener.last[publisher.topics.availability] == b"offline")
        await listener.until(lambda: not publisher.connection.connected)


async def test_retained_command(tmp_path: Path, broker: Mosquitto, listener: Listener) -> None:
    """It is not carried out at each connection anew: not even at the first."""
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        state, command, answer = topics_of(publisher)
    await listener.publish(command, {"changes": {"beeper": False}}, retain=True)
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await listener.until(lambda: answer in listener.last)
        assert listener.json(answer)["error"]["code"] == "retained"
        await until_described(listener, publisher)
        await listener.until(lambda: listener.json(state)["settings"]["beeper"] is not None)
        # one that is made retained just now is none either; one that is taken back is no command
        listener.last.pop(answer)
        await listener.publish(command, {"changes": {"beeper": False}}, retain=True)
        await listener.until(lambda: answer in listener.last)
        assert listener.json(answer)["error"]["code"] == "retained"
        count = len(listener.of("/answer"))
        await listener.client.publish(command, b"", qos=1, retain=True)
        await listener.publish(command, {"id": "last", "changes": {"beeper": True}})
        await listener.until(lambda: listener.json(answer)["id"] == "last")
        assert len(listener.of("/answer")) == count + 1
        assert listener.json(state)["settings"]["beeper"] is True


async def test_changes_that_are_not_allowed(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """By the configuration; and devices that are not there."""
    device = INVERTER | {"allow_changes": False}
    async with publishing(tmp_path, broker.port, device) as (_, publisher):
        await until_described(listener, publisher)
        _, command, answer = topics_of(publisher)
        await listener.publish(command, {"changes": {"beeper": False}})
        await listener.until(lambda: answer in listener.last)
        assert listener.json(answer)["error"]["code"] == "changes_not_allowed"
        _, command, answer = topics_of(publisher, "other")
        await listener.publish(command, {"changes": {"beeper": False}})
        await listener.until(lambda: answer in listener.last)
        assert listener.json(answer)["error"]["code"] == "no_such_device"
        topic = publisher.topics.reconnect("virtual_inverter")
        _, _, answer = topics_of(publisher)
        listener.last.pop(answer)
        await listener.publish(topic, {"id": 3})
        await listener.until(lambda: answer in listener.last)
        assert listener.json(answer)["id"] == 3
        assert publisher.report["commands"]["failed"] >= 2


async def test_too_many_commands(
    tmp_path: Path, broker: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that wait are few; the others are told so."""
    go_on = asyncio.Event()

    async def slow(*_: Any) -> dict[str, Any]:
        await go_on.wait()
        return {"id": None, "result": "written", "event_type": "written", "error": None}

    monkeypatch.setattr(command_queue, "carry_out", slow)
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        _, command, _ = topics_of(publisher)
        for _ in range(MOST_COMMANDS + 3):
            await listener.publish(command, {"changes": {"beeper": False}})
        await listener.until(lambda: len(listener.of("/answer")) == 3)
        assert {item["error"]["code"] for item in listener.of("/answer")} == {"busy"}
        go_on.set()
        await listener.until(lambda: len(listener.of("/answer")) == MOST_COMMANDS + 3)


async def test_command_that_fails_by_a_fault(
    tmp_path: Path,
    broker: Mosquitto,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of the bridge itself: nobody knows what was sent, and the next one is carried out."""
    carry_out = command_queue.carry_out

    async def broken(*_: Any) -> dict[str, Any]:
        raise ZeroDivisionError("here")

    monkeypatch.setattr(command_queue, "carry_out", broken)
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        _, command, answer = topics_of(publisher)
        await listener.publish(command, {"id": 1, "changes": {"beeper": False}})
        await listener.until(lambda: answer in listener.last)
        found = listener.json(answer)
        assert (found["id"], found["result"]) == (1, "unknown")
        assert "ZeroDivisionError" in found["error"]["message"]
        assert len([record for record in caplog.records if record.exc_info]) == 1
        monkeypatch.setattr(command_queue, "carry_out", carry_out)
        await listener.publish(command, {"id": 2, "changes": {"beeper": False}})
        await listener.until(lambda: listener.json(answer)["id"] == 2)
        assert listener.json(answer)["result"] == "written"


# Devices that come and go


async def test_devices_that_come_and_go(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """Those that are gone leave nothing on the broker, also where it was the bridge that was away."""
    battery = {"name": "Battery", "virtual": True, "profile": "battery"}
    async with publishing(tmp_path, broker.port, INVERTER, battery) as (served, publisher):
        await until_described(listener, publisher)
        assert sum("virtual_battery" in topic for topic in listener.last) == 2
        config = served.hub.config
        await served.hub.reload(config.model_copy(update={"devices": config.devices[:1]}))
        await listener.until(lambda: not any("virtual_battery" in topic for topic in listener.last))
        assert any("virtual_inverter" in topic for topic in listener.last)
        await served.hub.reload(config)
        await listener.until(
            lambda: sum("virtual_battery" in topic for topic in listener.last) == 2
        )
    async with publishing(tmp_path, broker.port, battery) as (_, publisher):
        await until_described(listener, publisher)
        await listener.until(
            lambda: not any("virtual_inverter" in topic for topic in listener.last)
        )
    async with publishing(tmp_path, broker.port, battery, topic_prefix="other") as (_, publisher):
        await until_described(listener, publisher)
        await listener.until(lambda: not any("blupow/" in topic for topic in listener.last))
    async with publishing(tmp_path, broker.port, battery, discovery=False) as (_, publisher):
        await until_described(listener, publisher)
        await listener.until(lambda: not any("config" in topic for topic in listener.last))


async def test_device_that_moves_to_another_bridge(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """The bridge that had it leaves what the other one has described."""
    device = {
        "name": "Inverter",
        "address": "C4:D3:6A:66:7E:D4",
        "profile": "inverter",
        "model": "RIV1230RCH",
    }
    topic = "homeassistant/device/blupow_c4d36a667ed4/config"
    async with (
        serve(tmp_path / "a", (device,), mqtt=section(broker.port)) as first,
        serve(tmp_path / "b", (INVERTER,), mqtt=section(broker.port)) as second,
    ):
        await listener.until(lambda: topic in listener.last)
        config = second.hub.config
        new = DeviceConfig(**device)  # type: ignore[arg-type]
        await second.hub.reload(config.model_copy(update={"devices": (new,)}))
        theirs = f"blupow/{second.hub.id}/".encode()
        await listener.until(lambda: theirs in listener.last[topic])
        mine = first.hub.mqtt
        assert mine is not None
        await first.hub.reload(first.hub.config.model_copy(update={"devices": ()}))
        state = mine.topics.state("c4d36a667ed4")
        await listener.until(lambda: state not in listener.last)
        await listener.until(lambda: not mine._claimed)
        assert theirs in listener.last[topic]
        # and where nobody else has it, it is taken back
        await second.hub.reload(config.model_copy(update={"devices": ()}))
        await listener.until(lambda: topic not in listener.last)


async def test_changes_that_are_not_allowed_any_more(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """Home Assistant is told to remove their entities."""
    async with publishing(tmp_path, broker.port) as (served, publisher):
        await until_described(listener, publisher)
        topic = f"homeassistant/device/blupow_{served.hub.id}_virtual_inverter/config"
        await listener.until(lambda: "setting_beeper" in listener.json(topic)["components"])
        config = served.hub.config
        device = config.devices[0].model_copy(update={"allow_changes": False})
        await served.hub.reload(config.model_copy(update={"devices": (device,)}))
        await listener.until(
            lambda: listener.json(topic)["components"]["setting_beeper"] == {"platform": "switch"}
        )
        assert listener.json(topic)["components"]["change"] == {"platform": "event"}
        await served.hub.reload(config)
        await listener.until(lambda: len(listener.json(topic)["components"]["setting_beeper"]) > 1)


async def test_broker_of_a_changed_configuration(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """It is gone over to without a restart, and left when there is none any more."""
    async with serve(tmp_path, (INVERTER,)) as served:
        await served.wait_read()
        config = served.hub.config
        assert served.hub.mqtt is None
        changed = Config(
            **config.model_dump(exclude={"mqtt", "devices", "http", "store"}),
            devices=config.devices,
            http=config.http,
            store=config.store,
            mqtt=section(broker.port),
        )
        await served.hub.reload(changed)
        assert served.hub.mqtt is not None
        publisher = served.hub.mqtt
        await until_described(listener, publisher)
        await served.hub.reload(changed)
        assert served.hub.mqtt is publisher
        await served.hub.reload(config)
        assert served.hub.mqtt is None
        await listener.until(lambda: listener.last[publisher.topics.availability] == b"offline")


async def test_home_assistant_has_started(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """Everything is described to it again."""
    async with publishing(tmp_path, broker.port) as (_, publisher):
        await until_described(listener, publisher)
        before = len(listener.of("virtual_inverter/config"))
        await listener.client.publish("homeassistant/status", "offline", qos=1)
        await listener.client.publish("homeassistant/status", "online", qos=1)
        await listener.until(lambda: len(listener.of("virtual_inverter/config")) == before + 1)


async def test_what_is_optional_stays_described(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """A restart of the bridge does not take entities away until the device has sent them again."""
    async with publishing(tmp_path, broker.port) as (served, publisher):
        await until_described(listener, publisher)
        topic = f"homeassistant/device/blupow_{served.hub.id}_virtual_inverter/config"
        await listener.until(lambda: "worst_fault" in listener.json(topic)["components"])
        before = set(listener.json(topic)["components"])
    (tmp_path / "data" / "devices" / "virtual_inverter.json").unlink()
    listener.messages.clear()
    async with publishing(tmp_path, broker.port, INVERTER | {"model": "RIV1230RCH"}) as (
        _,
        publisher,
    ):
        await until_described(listener, publisher)
        for description in listener.of("virtual_inverter/config"):
            assert set(description["components"]) == before


async def test_values_too_old_to_be_shown(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """They are unknown in the message too, and the unit is unavailable."""
    async with publishing(tmp_path, broker.port) as (served, publisher):
        await until_described(listener, publisher)
        device = served.hub.devices["virtual_inverter"]
        unit = device.supervisor.own
        assert unit.snapshot is not None
        unit.snapshot = replace(
            unit.snapshot, taken_at_monotonic=unit.snapshot.taken_at_monotonic - 8000
        )
        device.updated()
        state, _, _ = topics_of(publisher)
        await listener.until(lambda: not listener.json(state)["available"])
        found = listener.json(state)
        assert "battery_voltage" in found["values"]
        assert set(found["values"].values()) == {None}
        assert set(found["faults"].values()) == {None}
        assert set(found["settings"].values()) == {None}
        assert found["active_faults"] is None


async def test_units_behind_a_module(tmp_path: Path, broker: Mosquitto, listener: Listener) -> None:
    """Each is a device of its own, connected by the first one; one state message tells of all."""
    battery = {
        "name": "Bank",
        "virtual": True,
        "profile": "battery",
        "units": [{"unit_id": 49, "profile": "battery"}],
    }
    async with serve(tmp_path, (battery,), mqtt=section(broker.port)) as served:
        publisher = served.hub.mqtt
        assert publisher is not None
        topic = f"homeassistant/device/blupow_{served.hub.id}_virtual_battery"
        await listener.until(lambda: f"{topic}_49/config" in listener.last)
        described = listener.json(f"{topic}_49/config")
        assert described["device"]["via_device"] == f"blupow_{served.hub.id}_virtual_battery"
        template = described["components"]["battery_voltage"]["value_template"]
        assert template == "{{ value_json['units']['49']['values']['battery_voltage'] }}"
        state, _, _ = topics_of(publisher, "virtual_battery")
        assert set(listener.json(state)["units"]) == {"49"}


async def test_fault_of_the_publisher(
    tmp_path: Path,
    broker: Mosquitto,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It does not end the reading of a device, and is logged once."""
    async with publishing(tmp_path, broker.port) as (served, publisher):
        await until_described(listener, publisher)

        def broken(_: Any) -> dict[str, Any]:
            raise ZeroDivisionError("here")

        monkeypatch.setattr(publisher_module, "state_of", broken)
        supervisor = served.hub.devices["virtual_inverter"].supervisor
        for _ in range(3):
            await supervisor.poll()
        assert supervisor.fresh_readings >= 4
        assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_connection_that_ends_while_it_is_written_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No traceback is logged of it; of any other fault one is."""
    caplog.set_level(logging.WARNING, "asyncio")
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(service.handle_exception)
    try:
        here, there = socket.socketpair()
        number = here.fileno()
        here.close()
        there.close()
        loop.call_soon(loop.add_writer, number, lambda: None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert caplog.records == []
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len([record for record in caplog.records if record.exc_info]) == 1
    finally:
        loop.set_exception_handler(before)


# The document


def checked(address: str, topic: str) -> bool:
    """Whether a topic is of an address of the document."""
    parts, others = address.split("/"), topic.split("/")
    return len(parts) == len(others) and all(
        part.startswith("{") or part == other for part, other in zip(parts, others, strict=True)
    )


async def test_messages_are_as_the_document_says(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    """All of them, of all families, with answers to right and wrong commands."""
    devices = [
        {"name": family, "virtual": True, "profile": family, "allow_changes": True}
        for family in FAMILIES
    ]
    async with publishing(tmp_path, broker.port, *devices) as (served, publisher):
        await until_described(listener, publisher)
        for family in FAMILIES:
            _, command, _ = topics_of(publisher, f"virtual_{family}")
            await listener.publish(command, {"changes": {"beeper": False}})
            await listener.publish(command, {"nothing": 1})
            publisher.device_event(f"virtual_{family}", LinkEvent.RECOVERY, {"step": 1})
        await listener.until(lambda: len(listener.of("/answer")) == 2 * len(FAMILIES))
        status, document = await served.ask("GET", "/api/v1/mqtt/asyncapi.json")
        assert status == 200
        schemas = document["components"]["schemas"]
        seen = set()
        for topic, message in listener.messages:
            names = [
                name
                for name, channel in document["channels"].items()
                if checked(channel["address"], topic)
            ]
            assert len(names) == 1, topic
            seen.add(names[0])
            payload = (
                message.payload.decode()
                if names[0] == "availability"
                else json.loads(message.payload)
            )
            if names[0] != "set":  # wrong ones on purpose
                jsonschema_rs.validator_for(schemas[names[0]]).validate(payload)
        assert seen == set(document["channels"]) - {"reconnect"}


def test_document_is_whole() -> None:
    """Every reference leads somewhere, and every schema is one."""
    topics = Topics(prefix="a", bridge_id="b", discovery_prefix="c")
    document = asyncapi.document(topics)
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    assert document["channels"]["state"]["address"] == "a/b/{device}/state"


def test_mqtt_and_virtual_devices_of_several_bridges() -> None:
    """Ids of real devices are the same on all bridges; those of virtual ones are not."""
    topics = Topics(prefix="blupow", bridge_id="b1", discovery_prefix="homeassistant")
    assert topics.device_and_command("blupow/b1/c4d36a/set") == ("c4d36a", "set")
    assert topics.device_and_command("blupow/b1/c4d36a/state") is None
    assert topics.device_and_command("blupow/b2/c4d36a/set") is None
