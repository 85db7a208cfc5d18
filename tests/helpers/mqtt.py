"""A client of a broker that remembers what it was sent, and a connection that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
import json
from typing import Any

import aiomqtt


class Listener:
    """Remembers all messages, and the last one of each topic."""

    def __init__(self, client: aiomqtt.Client) -> None:
        """Listen by a client."""
        self.client = client
        self.last: dict[str, bytes] = {}
        """Of each topic; an empty message takes it away."""
        self.messages: list[tuple[str, Any]] = []
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Take messages until the connection ends."""
        async for message in self.client.messages:
            topic = message.topic.value
            assert isinstance(message.payload, bytes)
            if message.payload:
                self.last[topic] = message.payload
            else:
                self.last.pop(topic, None)
            self.messages.append((topic, message))
            self._news.set()

    def json(self, topic: str) -> Any:
        """Return the last message of a topic."""
        return json.loads(self.last[topic])

    def of(self, ending: str) -> list[Any]:
        """Return all messages of the topics with an ending, as JSON."""
        return [
            json.loads(message.payload)
            for topic, message in self.messages
            if topic.endswith(ending) and message.payload
        ]

    async def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> None:
        """Wait until a condition is met. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await self._news.wait()

    async def publish(self, topic: str, payload: Any, **options: Any) -> None:
        """Publish JSON."""
        await self.client.publish(topic, json.dumps(payload), qos=1, **options)


@asynccontextmanager
async def listening(port: int, *topics: str, **options: Any) -> AsyncIterator[Listener]:
    """Listen to a broker."""
    options.setdefault("protocol", aiomqtt.ProtocolVersion.V5)
    async with aiomqtt.Client("127.0.0.1", port, **options) as client:
        for topic in topics or ("#",):
            await client.subscribe(topic, qos=1)
        listener = Listener(client)
        task = asyncio.create_task(listener.run())
        try:
            yield listener
        finally:
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()


class Cable:
    """What lies between a client and a broker: it can be cut, swallow everything, or refuse MQTT 5."""

    def __init__(self, port: int) -> None:
        """Lead to a port of this machine."""
        self.target = port
        self.port = 0
        self.refuse_5: bytes | None = None
        """What a client that speaks MQTT 5 is answered."""
        self.swallows = False
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to lead."""
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take it away."""
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Cut all connections, without a goodbye."""
        for writer in self._writers:
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        other: asyncio.StreamWriter | None = None
        try:
            first = await reader.read(65536)
            if self.refuse_5 is not None and b"MQTT\x05" in first:
                writer.write(self.refuse_5)
                await writer.drain()
                return
            back, other = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(other)
            other.write(first)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, other))
                group.create_task(self._copy(back, writer))
        except OSError, ExceptionGroup:
            pass
        finally:
            for end in (writer, other):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.swallows:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError
