"""Announces the bridge in the local network, so that Home Assistant discovers it."""

import ipaddress
import logging
import socket
from typing import Any, Final

from blupow_ble.bridge_messages import API_VERSION, SERVICE_TYPE
from zeroconf import IPVersion, NonUniqueNameException, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from .http.status import release
from .hub import Hub

_LOGGER = logging.getLogger(__name__)

LONGEST_NAME: Final = 40
ANY: Final = frozenset({"0.0.0.0", "::", ""})


class Announcement:
    """What the network is told of a bridge."""

    def __init__(self, hub: Hub, host: str, port: int, *, tls: bool) -> None:
        """Prepare to announce a bridge that listens there."""
        self._host = host
        self._zeroconf: AsyncZeroconf | None = None
        name = hub.config.name[:LONGEST_NAME].replace(".", " ")
        self._info = ServiceInfo(
            SERVICE_TYPE,
            f"{name} {hub.id[:6]}.{SERVICE_TYPE}",
            port=port,
            server=f"blupow-{hub.id}.local.",
            parsed_addresses=_addresses(host),
            properties={
                "id": hub.id,
                "name": hub.config.name,
                "version": release(),
                "api": str(API_VERSION),
                "tls": "1" if tls else "0",
            },
        )

    @property
    def useful(self) -> bool:
        """Whether another machine can reach the bridge."""
        return bool(self._info.parsed_addresses())

    async def start(self) -> None:
        """Announce it; without a network it is only logged."""
        if not self.useful:
            return
        interfaces: Any = [self._host] if self._host not in ANY else None
        try:
            self._zeroconf = (
                AsyncZeroconf(ip_version=IPVersion.All)
                if interfaces is None
                else AsyncZeroconf(interfaces=interfaces)
            )
            await self._zeroconf.async_register_service(self._info, allow_name_change=True)
        except (OSError, NonUniqueNameException) as err:
            _LOGGER.warning("[push] the bridge cannot be announced in the network: %s", err)

    async def stop(self) -> None:
        """Take it back."""
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
            self._zeroconf = None


def _addresses(host: str) -> list[str]:
    """Return the addresses of this machine at which others reach the bridge."""
    if host not in ANY:
        return [] if _is_loopback(host) else [host]
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
