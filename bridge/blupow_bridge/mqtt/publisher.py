"""Publishes the devices of a bridge to a broker, and takes commands for them."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
import json
import logging
from pathlib import Path
import random
import time
from typing import Any, Final

import aiomqtt
from blupow_ble.reader.messages import Message
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ..config import MqttConfig
from ..device import BridgeDevice
from ..version import release
from .client import Client
from .command_queue import CommandQueue, Devices, bytes_of
from .connection import MOST_IN_FLIGHT, BrokerConnection
from .discovery import bridge_discovery, object_id, unit_discovery
from .outbox import Outbox, Outgoing
from .retained import Retained
from .state import state_of
from .topics import Topics

_LOGGER = logging.getLogger(__name__)

ONLINE: Final = "online"
OFFLINE: Final = "offline"
AT_ONCE: Final = MOST_IN_FLIGHT
"""Messages that are published together, before the first of them is acknowledged."""
BIRTH_SPREAD: Final = 2.0
"""Seconds within which bridges describe their devices again once Home Assistant has started."""
GOODBYE_LIMIT: Final = 2.0
"""Seconds to tell the broker that the bridge is gone."""
STOP_PAUSE: Final = 30.0
REFUSED_SUBSCRIPTION: Final = 0x80


class Due(IntEnum):
    """What is to be published of the devices as a whole."""

    NOTHING = 0
    CHANGES = 1
    """Devices that have come, or have gone."""
    EVERYTHING = 2
    """To a broker, or a Home Assistant, that may know nothing of it."""


class Publisher:
    """Publishes all devices of a bridge: how they are, and how Home Assistant shows them."""

    def __init__(
        self,
        config: MqttConfig,
        *,
        bridge_id: str,
        name: str,
        devices: Devices,
        folder: Path,
    ) -> None:
        """Prepare; what is kept of the topics on the broker is kept in the folder."""
        self.config: Final = config
        self.topics: Final = Topics(
            prefix=config.topic_prefix,
            bridge_id=bridge_id,
            discovery_prefix=config.discovery_prefix,
        )
        self.outbox: Final = Outbox()
        self.published = 0
        self.refused = 0
        """Messages that the broker has refused (MQTT 5)."""
        self._refusal = ""
        self.commands: Final[Counter[str]] = Counter()
        """Commands by what came of them."""
        self.connection: Final = BrokerConnection(
            config,
            identifier=f"blupow-{bridge_id}",
            session=self._serve,
            will=aiomqtt.Will(self.topics.availability, OFFLINE, qos=1, retain=True),
        )
        self._name = name
        self._devices = devices
        self._retained = Retained(folder)
        self._claimed: set[str] = set()
        """Discovery that this bridge has published before, and takes back if it is still its own."""
        self._described: dict[str, str] = {}
        """The discovery as it was published last, by topic."""
        self._serving = False
        self._due = Due.NOTHING
        self._queue: Final = CommandQueue(devices, answer=self._answer, changed=self.device_changed)
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        """Nothing waits to be published."""
        self._running: asyncio.Task[None] | None = None
        self._fault: str | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._running = asyncio.create_task(self.connection.run(), name="mqtt")

    async def stop(self) -> None:
        """Tell the broker that the bridge is gone, and disconnect."""
        await self._queue.close()
        if self._serving:
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_LIMIT):
                    await self._empty.wait()
        while self._running is not None and not self._running.done():
            self._running.cancel()  # the end of a connection may come between, and is taken for one
            await asyncio.wait((self._running,), timeout=STOP_PAUSE)

    # What the bridge tells

    def device_changed(self, device: BridgeDevice) -> None:
        """Publish how a device is now. Without a connection it is published after the next one is made."""
        if not self._serving or self._devices().get(device.id) is not device:
            return
        try:
            for topic, payload in self._discovery(device):
                if self._described.get(topic) != payload:
                    self._described[topic] = payload
                    self._retained.add(topic, entities_of(payload))
                    self._put(topic, payload, retain=True)
            topic = self.topics.state(device.id)
            self._retained.add(topic)
            self._put(topic, encoded(state_of(device)), retain=True)
        except Exception as err:
            # a fault of the bridge: the reading of the device must go on
            if self._fault != (fault := repr(err)):
                self._fault = fault
                _LOGGER.exception("[mqtt] a fault of the bridge itself")

    def devices_changed(self) -> None:
        """Publish devices that are new, and take those back that are not there any more."""
        self._publish_soon(Due.CHANGES)

    def _publish_soon(self, due: Due) -> None:
        self._due = max(self._due, due)
        self._wake.set()

    def device_event(self, device_id: str, event: str, facts: Message) -> None:
        """Publish what has happened to the link of a device."""
        self._put(self.topics.event(device_id), encoded({"event_type": event, **facts}))

    def _put(self, topic: str, payload: str, **options: Any) -> None:
        full = self.outbox.full
        self.outbox.put(Outgoing(topic=topic, payload=payload, at=time.monotonic(), **options))
        if self.outbox.full > full and self._serving:
            self._due = Due.EVERYTHING  # it may be a state that was dropped
        self._empty.clear()
        self._wake.set()

    # A session

    async def _serve(self, client: Client) -> None:
        """Serve a connection as long as it lasts. Raises MqttError when it ends."""
        lost: BaseException | None = None
        self._due = Due.EVERYTHING
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(client), name="mqtt in")
                group.create_task(self._publish(client), name="mqtt out")
        except ExceptionGroup as failures:
            mqtt, other = failures.split(aiomqtt.MqttError)
            lost = (other or mqtt or failures).exceptions[0]
        finally:
            self._serving = False
        if lost is not None:
            raise lost

    async def _publish(self, client: Client) -> None:
        """Publish everything once, then what comes. Raises MqttError."""
        try:
            await self._subscribe(client)
            while True:
                self._wake.clear()
                if self._due:
                    await self._publish_devices(client)
                batch = self.outbox.take(AT_ONCE, time.monotonic())
                if batch:
                    await self._send(client, batch)
                elif self._retained.changed:
                    await asyncio.to_thread(self._retained.save)
                elif not self._due:
                    self._empty.set()
                    await self._wake.wait()
        except BaseException:
            # the last will is not published after a goodbye, which a client that ends always says
            with suppress(aiomqtt.MqttError):  # the connection may be lost already
                topic = self.topics.availability
                await client.publish(topic, OFFLINE, retain=True, timeout=GOODBYE_LIMIT)
            raise

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        """Subscribe to what the bridge listens to. Raises MqttError."""
        self._claimed.clear()
        for topic in self.topics.commands:
            # a command that is retained is to be known as such, also when it comes just now
            await self._subscribe_to(client, topic, as_published=True)
        if self.config.discovery:
            await self._subscribe_to(client, self.topics.birth)

    async def _subscribe_to(
        self, client: aiomqtt.Client, topic: str, *, as_published: bool = False
    ) -> None:
        """Subscribe to a topic; where the broker does not allow it, that is logged. Raises MqttError."""
        if self.connection.protocol == "5":
            options = SubscribeOptions(qos=1, retainAsPublished=as_published)
            found = await client.subscribe(topic, options=options)
        else:
            found = await client.subscribe(topic, qos=1)
        for granted in found:
            code = granted if isinstance(granted, int) else granted.value
            if code >= REFUSED_SUBSCRIPTION:
                _LOGGER.warning("[mqtt] the broker does not allow to subscribe to %s", topic)

    async def _publish_devices(self, client: Client) -> None:
        """Publish discovery, states, and availability, or what of it is new. Raises MqttError.

        What is not there any more is taken back.
        """
        everything, self._due = self._due is Due.EVERYTHING, Due.NOTHING
        devices = tuple(self._devices().values())
        described = dict(self._described_now(devices))
        states = {self.topics.state(device.id): device for device in devices}
        gone = [
            topic
            for topic in self._retained.topics
            if topic not in described and topic not in states and topic != self.topics.availability
        ]
        for topic in [item for item in gone if self.topics.is_discovery(item)]:
            # another bridge may have described the same device meanwhile
            gone.remove(topic)
            if topic not in self._claimed:
                self._claimed.add(topic)
                await self._subscribe_to(client, topic)
        messages = dict.fromkeys(gone, "")
        for topic, payload in described.items():
            if everything or self._described.get(topic) != payload:
                messages[topic] = payload
                self._retained.add(topic, entities_of(payload))
        for topic, device in states.items():
            if everything or topic not in self._retained.topics:
                messages[topic] = encoded(state_of(device))
                self._retained.add(topic)
        if everything:
            messages[self.topics.availability] = ONLINE
            self._retained.add(self.topics.availability)
        self.outbox.drop_states(messages)
        self._described = described
        self._serving = True  # what changes from here on is published after this
        if self._retained.changed:
            await asyncio.to_thread(self._retained.save)
        now = time.monotonic()
        outgoing = [
            Outgoing(topic=topic, payload=payload, retain=True, at=now)
            for topic, payload in messages.items()
        ]
        for start in range(0, len(outgoing), AT_ONCE):
            await self._send(client, outgoing[start : start + AT_ONCE])
        for topic in gone:
            self._retained.remove(topic)

    async def _send(self, client: Client, batch: list[Outgoing]) -> None:
        """Publish messages, in their order, and wait until all are acknowledged. Raises MqttError.

        What is not acknowledged waits for the next connection.
        """
        try:
            results = await asyncio.gather(
                *(
                    client.publish(
                        message.topic,
                        message.payload,
                        qos=1,
                        retain=message.retain,
                        properties=_properties(message),
                    )
                    for message in batch
                ),
                return_exceptions=True,
            )
        except asyncio.CancelledError:
            self.outbox.put_back(batch)
            raise
        failed = [
            (message, result)
            for message, result in zip(batch, results, strict=True)
            if isinstance(result, BaseException)
        ]
        self.published += len(batch) - len(failed)
        self._note_refusals(client)
        lost = [message for message, err in failed if isinstance(err, aiomqtt.MqttError)]
        self.outbox.put_back(lost)
        for message, err in failed:
            if not isinstance(err, aiomqtt.MqttError):
                _LOGGER.error("[mqtt] nothing can be published to %r: %r", message.topic, err)
        for _, err in failed:
            if isinstance(err, aiomqtt.MqttError):
                raise err

    def _note_refusals(self, client: Client) -> None:
        """Log what the broker has acknowledged, but does not take: once for each reason."""
        if client.refused:
            self.refused += client.refused
            client.refused = 0
            if client.refusal != self._refusal:
                self._refusal = client.refusal
                _LOGGER.warning(
                    "[mqtt] the broker does not take what is published: %s; check what it allows %s",
                    client.refusal,
                    self.config.username or "this bridge",
                )

    # Discovery

    def _described_now(self, devices: tuple[BridgeDevice, ...]) -> Iterator[tuple[str, str]]:
        """Go through all discovery messages, by topic."""
        if not self.config.discovery:
            return
        topic = self.topics.discovery(f"blupow_{self.topics.bridge_id}")
        yield topic, encoded(bridge_discovery(self.topics, self._name, release()))
        for device in devices:
            yield from self._discovery(device)

    def _discovery(self, device: BridgeDevice) -> Iterator[tuple[str, str]]:
        if not self.config.discovery:
            return
        for unit in device.supervisor.units:
            topic = self.topics.discovery(object_id(self.topics, device, unit))
            known = self._retained.known(topic)
            yield topic, encoded(unit_discovery(self.topics, device, unit, release(), known))

    # What comes

    async def _receive(self, client: aiomqtt.Client) -> None:
        """Take messages until the connection ends. Raises MqttError."""
        async for message in client.messages:
            if self.config.discovery and message.topic.value == self.topics.birth:
                if message.payload == ONLINE.encode() and not message.retain:
                    delay = random.uniform(0, BIRTH_SPREAD)
                    asyncio.get_running_loop().call_later(delay, self._publish_soon, Due.EVERYTHING)
            elif message.topic.value in self._claimed:
                self._take_back(message)
            elif (found := self.topics.device_and_command(message.topic.value)) is not None:
                self._queue.take(*found, message)

    def _take_back(self, message: aiomqtt.Message) -> None:
        """Take the discovery of a device back that is not there any more, unless it is of another bridge."""
        topic, payload = message.topic.value, message.payload
        self._claimed.discard(topic)
        if topic in self._described:
            return  # it is there again
        self._retained.remove(topic)
        if self.topics.bridge_id.encode() in bytes_of(payload):
            self._put(topic, "", retain=True)

    def _answer(self, device_id: str, message: aiomqtt.Message, said: Message) -> None:
        """Tell what came of a command: on the topic of the device, and where the sender wants it (MQTT 5)."""
        self.commands[said["result"]] += 1
        payload, properties = encoded(said), message.properties
        self._put(self.topics.answer(device_id), payload)
        wanted = getattr(properties, "ResponseTopic", None)
        if wanted and self.topics.takes_answers(wanted):
            correlation = getattr(properties, "CorrelationData", None)
            self._put(wanted, payload, correlation=correlation)

    # How it is

    @property
    def report(self) -> dict[str, Any]:
        """How the connection is, and was, as JSON knows it."""
        connection, outbox = self.connection, self.outbox
        due = connection.next_attempt_at
        return {
            "broker": connection.name,
            "connected": connection.connected,
            "protocol": connection.protocol,
            "cause": None if connection.cause is None else connection.cause.value,
            "message": connection.message,
            "strategy": int(self.config.strategy),
            "reconnection_failed": connection.reconnection.failed and not connection.connected,
            "next_attempt_in": None if due is None else max(round(due - time.monotonic(), 1), 0.0),
            "published": self.published,
            "refused": self.refused,
            "waiting": len(outbox),
            "dropped": {"full": outbox.full, "expired": outbox.expired},
            "commands": dict(self.commands),
            **connection.diagnostics.report,
        }


def _properties(message: Outgoing) -> Properties | None:
    """Return what ties an answer to its command by MQTT 5."""
    if message.correlation is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.CorrelationData = message.correlation
    return properties


def encoded(message: Message) -> str:
    """Return a message as it is published."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def entities_of(payload: str) -> dict[str, str]:
    """Return the entities that a discovery message describes, or has removed: their platforms by key."""
    components = json.loads(payload)["components"]
    return {key: component["platform"] for key, component in components.items()}
