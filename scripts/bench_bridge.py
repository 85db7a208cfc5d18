#!/usr/bin/env python3
"""Measure the store and the push of a bridge. Nothing is asserted.

Reported: readings stored in a second, how long the history of a day takes with so many readings in the store,
how long a push takes to its clients, and the memory of the process.
"""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
import json
import math
from pathlib import Path
import resource
import statistics
import sys
import tempfile
import time
from typing import Any

import _environment  # noqa: F401 - must be first: it enters the virtual environment


from blupow_ble import output
from blupow_ble.bridge_messages import MessageType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bridge"))

from blupow_bridge.config import Config
from blupow_bridge.http.app import WebServer
from blupow_bridge.http.auth import Token
from blupow_bridge.hub import Hub
from blupow_bridge.store.engine import migrate, open_engine
from blupow_bridge.store.history import History, Query, Resolution
from blupow_bridge.store.writer import BATCH, Row, Writer

FIELDS = 30
INTERVAL = 10
CLIENT = """
import asyncio, json, sys, time
import aiohttp

async def main(url, token, count, seconds):
    waits = []

    async def listen(session):
        async with session.ws_connect(url, headers={"Authorization": f"Bearer {token}"}) as socket:
            async for message in socket:
                if (sent := json.loads(message.data).get("sent")) is not None:
                    waits.append(time.time() - sent)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = [asyncio.create_task(listen(session)) for _ in range(count)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    waits.sort()
    print(json.dumps({"count": len(waits), "p50": waits[len(waits) // 2], "p95": waits[int(len(waits) * 0.95)]}))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench_bridge.py", description=__doc__)
    parser.add_argument("--readings", type=int, default=1_000_000, help="in the store (1,000,000)")
    parser.add_argument("--devices", type=int, default=50, help="that are pushed (50)")
    parser.add_argument("--clients", type=int, default=200, help="that listen (200)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of pushes (60)")
    parser.add_argument("--url", help="a PostgreSQL database that may be filled (SQLite)")
    return parser


def values(number: int) -> dict[str, float]:
    """Return a reading."""
    return {f"value_{key}": round(math.sin(number / 50 + key) * 100, 2) for key in range(FIELDS)}


def memory() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure_store(options: argparse.Namespace, folder: Path) -> None:
    """Fill a store, and ask it."""
    engine = open_engine(options.url, folder)
    await migrate(engine)
    history, writer = History(engine), Writer(engine, folder / "waiting", lambda _: None)
    end = datetime.now(UTC)
    per_device = options.readings // options.devices
    start = end - timedelta(seconds=INTERVAL * per_device)
    begun, number = time.perf_counter(), 0
    batch: list[Row] = []
    for index in range(per_device):
        at = int((start + timedelta(seconds=INTERVAL * index)).timestamp() * 1000)
        for device in range(options.devices):
            batch.append(Row(f"device{device}", "", at, values(number)))
            number += 1
        if len(batch) >= BATCH:
            await writer.write(batch)
            batch.clear()
    if batch:
        await writer.write(batch)
    seconds = time.perf_counter() - begun
    print(f"stored {number} readings: {number / seconds:.0f} a second")
    for resolution, fields, limit in (
        (Resolution.RAW, frozenset(), 1000),
        (Resolution.RAW, frozenset({"value_1"}), 1000),
    ):
        waits = []
        for device in range(40):
            query = Query(
                device=f"device{device % options.devices}",
                unit="",
                start=end - timedelta(days=1),
                end=end,
                fields=fields,
                resolution=resolution,
                limit=limit,
            )
            begun = time.perf_counter()
            rows, _ = await history.page(query)
            waits.append(1000 * (time.perf_counter() - begun))
        waits.sort()
        what = "all fields" if not fields else "one field"
        print(
            f"a page of a day ({len(rows)} rows, {what}): "
            f"median {statistics.median(waits):.0f} ms, p95 {waits[int(len(waits) * 0.95)]:.0f} ms"
        )
    print(f"memory at most: {memory():.0f} MB")
    await engine.dispose()


async def measure_push(options: argparse.Namespace, folder: Path) -> None:
    """Push readings of many devices to many clients."""
    config = Config(data=folder / "push", http={"port": 0, "requests_per_minute": 100_000})  # type: ignore[arg-type]
    hub, token = Hub(config), Token(folder / "push")
    secret = token.make()
    server = WebServer(hub, token, config.http)
    await hub.start()
    port = await server.start()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, f"http://127.0.0.1:{port}/api/v1/ws", secret),
        *(str(options.clients), str(options.seconds + 10)),
        stdout=asyncio.subprocess.PIPE,
    )
    while len(hub.push.subscribers) < options.clients:
        if process.returncode is not None:
            raise SystemExit("the clients have ended")
        await asyncio.sleep(0.1)
    cpu = time.process_time()
    count = int(options.seconds * options.devices / INTERVAL)
    for number in range(count):
        message: dict[str, Any] = {"device": "x", "state": {}, "reading": {"age": 0.0}}
        message["reading"]["units"] = {"": {"values": values(number)}}
        hub.push.publish(MessageType.READING, message | {"sent": time.time()})
        await asyncio.sleep(INTERVAL / options.devices)
    cpu = time.process_time() - cpu
    output_, _ = await process.communicate()
    found = json.loads(output_)
    print(
        f"{options.devices} devices each {INTERVAL} s to {options.clients} clients: "
        f"{found['count']} messages received of {count * options.clients}, "
        f"median {1000 * found['p50']:.1f} ms, p95 {1000 * found['p95']:.1f} ms, "
        f"{100 * cpu / options.seconds:.0f}% of a core, memory at most {memory():.0f} MB"
    )
    await server.stop()
    await hub.stop()


def run() -> int:
    """Measure."""
    options = build_parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="blupow-bench-") as folder:
        asyncio.run(measure_push(options, Path(folder)))
        asyncio.run(measure_store(options, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(output.run(run))
