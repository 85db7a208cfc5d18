"""The examples: each strategy as a program, which heals what it is for."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
import os
from pathlib import Path
import signal
import sys

import pytest

from simulator.bridge import ROOT
from simulator.mosquitto import Mosquitto

from .test_mqtt_connection import make_certificates, tls_broker

PACE = "0.001"
"""All attempts to reconnect fail within a second."""


class Output:
    """What a program prints."""

    def __init__(self, process: Process) -> None:
        """Read what it prints."""
        self.process = process
        self.lines: list[str] = []

    async def until(self, beginning: str) -> str:
        """Wait for a line; return it."""
        assert self.process.stdout is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                while line := (await self.process.stdout.readline()).decode():
                    self.lines.append(line.strip())
                    if line.startswith(beginning):
                        return line
        raise AssertionError(self.lines[-30:])


@asynccontextmanager
async def example(name: str, port: int, *arguments: str) -> AsyncIterator[Output]:
    """Run an example."""
    folders = (ROOT / "custom_components" / "blupow" / "lib", ROOT / "bridge")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "examples" / name)),
        *("--port", str(port), "--pace", PACE, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
    output = Output(process)
    try:
        yield output
    finally:
        process.send_signal(signal.SIGINT)
        await output.until("stopped")
        assert await process.wait() == 0


@pytest.mark.parametrize("name", ["strategy_1_retry.py", "strategy_4_back_off.py"])
async def test_broker_that_was_away(tmp_path: Path, name: str) -> None:
    """Longer than all attempts: a recovery finds it."""
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    async with example(name, broker.port) as output:
        await output.until("connected")
        broker.stop(signal.SIGKILL)
        await output.until("disconnected")
        await output.until("reconnection_failed unreachable")
        await output.until("recovery_started")
        broker.start()
        await output.until("connected")
    broker.stop()


async def test_certificate_that_was_replaced(tmp_path: Path) -> None:
    """By one of another authority: a new client reads its file."""
    make_certificates(tmp_path / "certificates")
    authority = tmp_path / "certificates" / "ca.crt"
    broker = tls_broker(tmp_path / "mosquitto", tmp_path / "certificates")
    broker.start()
    arguments = ("strategy_2_new_client.py", broker.port, "--ca-file", str(authority))
    async with example(*arguments) as output:
        await output.until("connected")
        broker.stop()
        make_certificates(tmp_path / "certificates")
        broker.start()
        await output.until("connected")
    broker.stop()


@pytest.mark.parametrize("name", ["strategy_3_new_credentials.py", "strategy_4_back_off.py"])
async def test_password_that_was_changed(tmp_path: Path, name: str) -> None:
    """While the broker was away: it is read again."""
    broker = Mosquitto(tmp_path / "mosquitto", users={"van": "old"})
    broker.start()
    secret = tmp_path / "password"
    secret.write_text("old")
    arguments = ("--username", "van", "--password-file", str(secret))
    async with example(name, broker.port, *arguments) as output:
        await output.until("connected")
        broker.stop()
        broker.users = {"van": "new"}
        broker.start()
        await output.until("attempt_failed credentials_refused")
        secret.write_text("new")
        await output.until("reconnection_failed credentials_refused")
        await output.until("connected")
    broker.stop()


def test_each_strategy_has_its_example() -> None:
    """And nothing else is there but what they share."""
    names = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
    assert names == [
        "heartbeat.py",
        "strategy_1_retry.py",
        "strategy_2_new_client.py",
        "strategy_3_new_credentials.py",
        "strategy_4_back_off.py",
    ]
