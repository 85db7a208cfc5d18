"""The bridge announces itself in the network, and Home Assistant's flow understands what it says."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from blupow_ble.bridge_messages import SERVICE_TYPE
from blupow_bridge import announce
from blupow_bridge.announce import Announcement, service_name
import pytest
from zeroconf import ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf


def hub(name: str = "Van") -> Any:
    """Return what an announcement needs of a hub."""
    return SimpleNamespace(id="0123456789abcdef", config=SimpleNamespace(name=name))


async def test_announced_and_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by a real browser, with what a client must know; gone when the bridge stops."""
    addresses: list[str] = []
    monkeypatch.setattr(announce, "_addresses", lambda host: list(addresses))
    monkeypatch.setattr(announce, "LOOK_PAUSE", 0.05)
    seen: dict[str, ServiceStateChange] = {}

    def on_change(
        zeroconf: object, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        seen[name] = state_change

    # the network of this machine alone
    monkeypatch.setattr(
        announce, "AsyncZeroconf", lambda **_: AsyncZeroconf(interfaces=["127.0.0.1"])
    )
    listening = AsyncZeroconf(interfaces=["127.0.0.1"])
    browser = AsyncServiceBrowser(listening.zeroconf, SERVICE_TYPE, handlers=[on_change])
    announcement = Announcement(hub(), "0.0.0.0", 8126, tls=True)
    announcement.start()
    name = f"Van 012345.{SERVICE_TYPE}"
    try:
        await asyncio.sleep(0)
        assert name not in seen
        addresses.append("192.0.2.7")  # the network comes later
        async with asyncio.timeout(30):
            while seen.get(name) is not ServiceStateChange.Added:
                await asyncio.sleep(0.05)
        info = AsyncServiceInfo(SERVICE_TYPE, name)
        assert await info.async_request(listening.zeroconf, 3000)
        assert (info.port, info.parsed_addresses()) == (8126, ["192.0.2.7"])
        assert info.decoded_properties == {
            "id": "0123456789abcdef",
            "name": "Van",
            "version": "development",
            "api": "1",
            "tls": "1",
        }
    finally:
        await announcement.stop()
    async with asyncio.timeout(30):
        while seen[name] is not ServiceStateChange.Removed:
            await asyncio.sleep(0.05)
    await browser.async_cancel()
    await listening.async_close()


async def test_what_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and the bridge runs all the same."""
    tries = 0

    def fail(**_: object) -> None:
        nonlocal tries
        tries += 1
        raise OSError("no network")

    monkeypatch.setattr(announce, "AsyncZeroconf", fail)
    monkeypatch.setattr(announce, "_addresses", lambda host: ["192.0.2.7"])
    monkeypatch.setattr(announce, "LOOK_PAUSE", 0.01)
    announcement = Announcement(hub(), "0.0.0.0", 8126, tls=False)
    announcement.start()
    async with asyncio.timeout(30):
        while tries < 3:
            await asyncio.sleep(0.01)
    await announcement.stop()
    assert sum("cannot be announced" in line for line in caplog.messages) == 1


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("Van", "Van 012345"),
        ("my.van\tnumber 2", "my van number 2 012345"),
        ("Дом на колёсах в деревне Нижняя", "Дом на колёсах в деревне Ни 012345"),
        ("...", "BluPow 012345"),
    ],
)
def test_name_of_the_service(name: str, service: str) -> None:
    """Whatever the user calls the bridge, it is at most 63 bytes, and no name within a name."""
    found = service_name(name, "0123456789abcdef")
    assert found == service
    assert len(found.encode()) <= 63


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_nobody_else_reaches_it(host: str) -> None:
    """Then it is not announced."""
    assert announce._addresses(host) == []


def test_address_of_its_own() -> None:
    """The one that the configuration names."""
    assert announce._addresses("192.0.2.7") == ["192.0.2.7"]
    assert "127.0.0.1" not in announce._addresses("0.0.0.0")


def test_files_of_the_container() -> None:
    """They name what is there."""
    root = Path(announce.__file__).parents[2]
    docker = (root / "bridge" / "Dockerfile").read_text()
    for line in docker.splitlines():
        if line.startswith("COPY"):
            for source in line.split()[1:-1]:
                assert (root / source).exists(), source
