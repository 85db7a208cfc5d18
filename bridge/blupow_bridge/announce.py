"""Announces the bridge in the local network, so that Home Assistant discovers it."""

import asyncio
import ipaddress
import logging
import socket
from typing import Final

from blupow_ble.bridge_messages import API_VERSION, SERVICE_TYPE
from blupow_ble.text import cleaned
from zeroconf import Error as ZeroconfError, IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from .hub import Hub
from .version import release

_LOGGER = logging.getLogger(__name__)

LONGEST_NAME: Final = 50
"""Bytes."""
LOOK_PAUSE: Final = 60.0
"""Seconds between looks at the addresses of this machine."""
ANY: Final = frozenset({"0.0.0.0", "::", ""})


class Announcement:
    """What the network is told of a bridge: again whenever the addresses of its machine change."""

    def __init__(self, hub: Hub, host: str, port: int, *, tls: bool) -> None:
        """Prepare to announce a bridge that listens there."""
        self._hub = hub
        self._host = host
        self._port = port
        self._tls = tls
        self._zeroconf: AsyncZeroconf | None = None
        self._told: tuple[str, ...] = ()
        self._problem: str | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to announce it."""
        self._running = asyncio.create_task(self._run(), name="announcement")

    async def stop(self) -> None:
        """Take it back."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
        await self._withdraw()

    async def _run(self) -> None:
        while True:
            addresses = tuple(await asyncio.to_thread(_addresses, self._host))
            if addresses != self._told:
                await self._withdraw()
                if addresses:
                    await self._announce(addresses)
            await asyncio.sleep(LOOK_PAUSE)

    async def _announce(self, addresses: tuple[str, ...]) -> None:
        """Tell the network; what is in the way is logged once, and tried again."""
        try:
            self._zeroconf = AsyncZeroconf(ip_version=IPVersion.All)
            info = self._info(addresses)
            await (await self._zeroconf.async_register_service(info, allow_name_change=True))
        except (OSError, ValueError, ZeroconfError) as err:
            text = str(err) or type(err).__name__
            if text != self._problem:
                self._problem = text
                _LOGGER.warning("[route] the bridge cannot be announced in the network: %s", text)
            await self._withdraw()
            return
        self._told, self._problem = addresses, None
        _LOGGER.info("[route] announced in the network at %s", ", ".join(addresses))

    async def _withdraw(self) -> None:
        zeroconf, self._zeroconf, self._told = self._zeroconf, None, ()
        if zeroconf is not None:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()

    def _info(self, addresses: tuple[str, ...]) -> ServiceInfo:
        name = service_name(self._hub.config.name, self._hub.id)
        return ServiceInfo(
            SERVICE_TYPE,
            f"{name}.{SERVICE_TYPE}",
            port=self._port,
            server=f"blupow-{self._hub.id}.local.",
            parsed_addresses=list(addresses),
            properties={
                "id": self._hub.id,
                "name": self._hub.config.name,
                "version": release(),
                "api": str(API_VERSION),
                "tls": "1" if self._tls else "0",
            },
        )


def service_name(name: str, bridge_id: str) -> str:
    """Return what the service is called: at most 63 bytes, without what a name must not hold."""
    plain = cleaned(name).replace(".", " ")
    short = plain.encode()[:LONGEST_NAME].decode(errors="ignore").strip()
    return f"{short or 'BluPow'} {bridge_id[:6]}"


def _addresses(host: str) -> list[str]:
    """Return the addresses of this machine at which others reach the bridge."""
    if host not in ANY:
        try:
            found = {str(item[4][0]) for item in socket.getaddrinfo(host, None)}
        except OSError:
            return []
        return sorted(address for address in found if not _is_loopback(address))
    return _own_addresses(host)


def _own_addresses(host: str) -> list[str]:
    found: list[str] = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        if family == socket.AF_INET6 and host == "0.0.0.0":
            continue
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))  # sends nothing: the kernel picks the address
                address = str(probe.getsockname()[0])
        except OSError:
            continue
        if not _is_loopback(address):
            found.append(address)
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
