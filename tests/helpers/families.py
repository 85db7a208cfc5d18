"""One device of each family, as it is set up and as it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.virtual.device import (
    Module,
    virtual_bus,
    virtual_device,
)
from homeassistant.config_entries import ConfigSubentryData

from .scripted import NOW
from .simulated import INVERTER_ADDRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A device: what it is called, what is behind the module, and the entry that it makes."""

    name: str
    device: Callable[[], Module]
    data: dict[str, Any]
    more: tuple[dict[str, Any], ...] = ()
    """The further units behind the module, by what their subentries hold."""

    def entry(self, more: Sequence[dict[str, Any]] | None = None) -> MockConfigEntry:
        """Return its entry, with other further units if they are given."""
        return MockConfigEntry(
            domain=DOMAIN,
            version=2,
            title=self.name,
            unique_id=INVERTER_ADDRESS,
            data={"address": INVERTER_ADDRESS, "name": self.name, **self.data},
            subentries_data=[
                ConfigSubentryData(
                    subentry_type="unit",
                    title=f"Unit {unit['unit_id']}",
                    unique_id=str(unit["unit_id"]),
                    data=unit,
                )
                for unit in (self.more if more is None else more)
            ],
        )


def _single(kind: str, name: str, profile: str, model: str, unit: int | None) -> Family:
    return Family(
        name=name,
        device=lambda: virtual_device(kind, lambda: NOW),
        data={"profile": profile, "model": model, "unit_id": unit},
    )


def hub() -> Module:
    """Return two batteries and a controller behind one module."""
    return virtual_bus([("battery", 48), ("battery", 49), ("controller", 96)], lambda: NOW)


FAMILIES: Final = {
    "inverter": _single("inverter", "BTRIC134000035", "inverter", "RIV1230RCH", 32),
    "srne": _single("srne", "BT-TH-6A000035", "inverter", "SRNE", 1),
    "controller": _single("controller", "BT-TH-6A000035", "controller", "Rover", 1),
    "dcdc": _single("dcdc", "RNGRBC50000035", "dcdc", "RBC", 1),
    "battery": _single("battery", "BT-TH-6A000035", "battery", "SMART", 48),
    "shunt": _single("shunt", "RTMShunt300A1B2", "shunt", "RTMShunt300", None),
    "hub": Family(
        name="BT-TH-6A000035",
        device=hub,
        data={
            "profile": "battery",
            "model": "SMART",
            "unit_id": 48,
        },
        more=(
            {
                "profile": "battery",
                "model": "SMART",
                "unit_id": 49,
                "serial_number": "VIRTUAL-BATT-049",
            },
            {
                "profile": "controller",
                "model": "Rover",
                "unit_id": 96,
                "serial_number": "1501FFFF",
            },
        ),
    ),
}

RIV4835: Final = _single("riv4835", "RNGRIU00000035", "inverter", "RIV4835CSH1S", 32)
"""The inverter with most settings."""
