"""What the examples share: publish a heartbeat for good, and print what happens to the connection."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiomqtt
from blupow_ble.supervisor.reconnection import Strategy
from blupow_ble.waiting import wait_at_most
from blupow_bridge.config import MqttConfig
from blupow_bridge.mqtt.connection import BrokerConnection
from blupow_bridge.mqtt.diagnostics import ConnectionEvent

TOPIC = "blupow-example/heartbeat"


def parser_of(text: str | None) -> argparse.ArgumentParser:
    """Return the parser of an example's command line."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--host", default="127.0.0.1", help="of the broker (127.0.0.1)")
    parser.add_argument("--port", type=int, default=1883, help="of the broker (1883)")
    parser.add_argument("--username", help="for the broker")
    parser.add_argument("--password-file", type=Path, help="a file that holds the password")
    parser.add_argument("--ca-file", type=Path, help="speak TLS; who has signed the certificate")
    parser.add_argument(
        "--pace", type=float, default=1.0, help="what pauses are multiplied by, to try it out (1)"
    )
    return parser


async def beat(client: aiomqtt.Client) -> None:
    """Publish a number each second, until the connection is lost. Raises MqttError."""
    number = 0
    while True:
        await client.publish(TOPIC, str(number), qos=1, timeout=5)
        number += 1
        await asyncio.sleep(1)


async def publish(options: argparse.Namespace, strategy: Strategy) -> None:
    """Keep a connection by a strategy, and print each event as it happens."""
    config = MqttConfig(
        host=options.host,
        port=options.port,
        username=options.username,
        password_file=options.password_file,
        tls=options.ca_file is not None,
        ca_file=options.ca_file,
        strategy=strategy,
    )

    def report(event: ConnectionEvent) -> None:
        print(event.kind, event.cause or "", event.message, flush=True)

    async def wait(event: asyncio.Event, seconds: float) -> None:
        await wait_at_most(event, seconds * options.pace)

    connection = BrokerConnection(
        config,
        identifier=f"blupow-example-{strategy.value}",
        session=beat,
        on_event=report,
        wait=wait,
    )
    await connection.run()


def run(text: str | None, strategy: Strategy, arguments: Sequence[str] | None = None) -> None:
    """Run an example until it is interrupted."""
    options = parser_of(text).parse_args(arguments)
    try:
        asyncio.run(publish(options, strategy))
    except KeyboardInterrupt:
        print("stopped")
