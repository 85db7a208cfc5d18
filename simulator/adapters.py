"""Adapters: power, discovery filters, discovery."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Message, Variant

from .objects import ADAPTER, DEVICE, MONITOR_MANAGER, ObjectTree, bluez_error, failed

type Answer = tuple[str, list[Any]]


@dataclass(slots=True)
class Adapter:
    """One adapter, and who scans with it."""

    name: str
    address: str
    plugged_in: bool = True
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    discovering: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        """Its object path."""
        return f"/org/bluez/{self.name}"

    @property
    def wants_duplicates(self) -> bool:
        """Whether a scan wants every advertisement signaled."""
        return any(
            self.filters.get(client, {}).get("DuplicateData", False) for client in self.discovering
        )


class Adapters:
    """All adapters."""

    def __init__(self, tree: ObjectTree, addresses: dict[str, str]) -> None:
        """Prepare the adapters, by name."""
        self._tree = tree
        self.scanned_by: set[str] = set()
        """The clients that have ever scanned."""
        self._by_name = {name: Adapter(name, address) for name, address in addresses.items()}

    def names(self, name: str | None = None) -> list[str]:
        """Return one name, or all."""
        return [name] if name else list(self._by_name)

    def present(self) -> list[Adapter]:
        """Return the adapters that are plugged in."""
        return [adapter for adapter in self._by_name.values() if adapter.plugged_in]

    def of(self, path: str) -> Adapter:
        """Return the adapter that an object belongs to."""
        return self._by_name[path.split("/")[3]]

    def export(self) -> None:
        """Export the adapters that are plugged in."""
        for adapter in self.present():
            self._export(adapter)

    def _export(self, adapter: Adapter) -> None:
        properties = {
            "Address": Variant("s", adapter.address),
            "AddressType": Variant("s", "public"),
            "Name": Variant("s", "simulator"),
            "Alias": Variant("s", "simulator"),
            "Class": Variant("u", 0x6C0000),
            "Connectable": Variant("b", True),
            "Powered": Variant("b", True),
            "PowerState": Variant("s", "on"),
            "Discoverable": Variant("b", False),
            "DiscoverableTimeout": Variant("u", 180),
            "Pairable": Variant("b", True),
            "PairableTimeout": Variant("u", 0),
            "Discovering": Variant("b", False),
            "UUIDs": Variant("as", []),
            "Modalias": Variant("s", "usb:v1D6Bp0246d0542"),
            "Roles": Variant("as", ["central", "peripheral"]),
        }
        monitors = {
            "SupportedMonitorTypes": Variant("as", ["or_patterns"]),
            "SupportedFeatures": Variant("as", ["controller-patterns"]),
        }
        self._tree.add(adapter.path, {ADAPTER: properties, MONITOR_MANAGER: monitors})

    def unplug(self, name: str) -> None:
        """Take an adapter out."""
        adapter = self._by_name[name]
        if adapter.plugged_in:
            adapter.plugged_in = False
            adapter.filters.clear()
            adapter.discovering.clear()
            self._tree.remove(adapter.path)

    def plug_in(self, name: str) -> None:
        """Put an adapter back."""
        adapter = self._by_name[name]
        if not adapter.plugged_in:
            adapter.plugged_in = True
            self._export(adapter)

    def reset(self) -> None:
        """Forget who scans."""
        for adapter in self._by_name.values():
            adapter.filters.clear()
            adapter.discovering.clear()

    def client_gone(self, client: str) -> None:
        """End a dead client's scans."""
        for adapter in self._by_name.values():
            adapter.filters.pop(client, None)
            self._stop(adapter, client)

    def set_discovery_filter(self, message: Message) -> Answer:
        """Adapter1.SetDiscoveryFilter."""
        adapter = self.of(message.path or "")
        client = message.sender or ""
        if wanted := {name: variant.value for name, variant in message.body[0].items()}:
            adapter.filters[client] = wanted
        elif client not in adapter.discovering:
            adapter.filters.pop(client, None)
        return "", []

    async def start_discovery(self, message: Message) -> Answer:
        """Adapter1.StartDiscovery."""
        adapter = self.of(message.path or "")
        client = message.sender or ""
        self.scanned_by.add(client)
        if client in adapter.discovering:
            raise bluez_error("InProgress", "Operation already in progress")
        await asyncio.sleep(0.02)
        adapter.discovering.add(client)
        self._tree.update(adapter.path, ADAPTER, {"Discovering": Variant("b", True)})
        return "", []

    def stop_discovery(self, message: Message) -> Answer:
        """Adapter1.StopDiscovery."""
        adapter = self.of(message.path or "")
        client = message.sender or ""
        if client not in adapter.discovering:
            raise failed("No discovery started")
        self._stop(adapter, client)
        return "", []

    def _stop(self, adapter: Adapter, client: str) -> None:
        """End a client's scan; with the last one BlueZ forgets the signal strengths."""
        if client not in adapter.discovering:
            return
        adapter.discovering.discard(client)
        if adapter.discovering:
            return
        self._tree.update(adapter.path, ADAPTER, {"Discovering": Variant("b", False)})
        for path in self._tree:
            if path.startswith(f"{adapter.path}/dev_"):
                self._tree.update(path, DEVICE, {}, invalidated=("RSSI", "TxPower"))
