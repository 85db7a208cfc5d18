"""The OpenAPI document against the bridge itself, by requests that nobody would think of."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import tempfile
import threading

from blupow_bridge.http.openapi import document
import hypothesis
import pytest
import pytest_socket
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import Served, serve

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SLOW = frozenset(
    f"/api/v1/devices/{{device}}/{command}" for command in ("reconnect", "registers", "settings")
)
"""Each takes a process of its own."""
schema = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    """Return a bridge that runs in a thread of its own."""
    pytest_socket.enable_socket()  # before the fixtures of the first test do so
    ready, done = threading.Event(), threading.Event()
    found: list[Served] = []

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with serve(Path(folder)) as served:
                await served.wait_read()
                found.append(served)
                ready.set()
                await asyncio.to_thread(done.wait)

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(asyncio.run, run())
        while not ready.wait(1):
            if task.done():
                task.result()
        yield found[0]
        done.set()
        task.result()


@schema.parametrize()
@hypothesis.settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    database=None,
)
def test_any_request(case: schemathesis.Case, running: Served) -> None:
    """Each answer is one that the document names, in its shape; none is a fault of the bridge."""
    if "device" in case.path_parameters and case.path_parameters["device"] != "unknown":
        case.path_parameters["device"] = (
            "virtual_battery" if case.path in SLOW else "virtual_inverter"
        )
    if case.path == "/api/v1/ws":
        case.query = {key: value for key, value in (case.query or {}).items() if key != "x"}
        return
    case.call_and_validate(
        base_url=running.url,
        headers={"Authorization": f"Bearer {running.secret}"},
        checks=CHECKS,
    )
