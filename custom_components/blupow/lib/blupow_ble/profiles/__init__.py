"""The device families that are known."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .battery import BATTERY
from .controller import CONTROLLER
from .dcdc import DCDC
from .inverter import INVERTER
from .profile import Model, Profile
from .shunt import SHUNT

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {profile.key: profile for profile in (INVERTER, CONTROLLER, DCDC, BATTERY, SHUNT)}
)

MODULE_PREFIX: Final = "BT-TH-"
"""A BT-1 or BT-2 module: its name does not tell what is behind it."""


def may_be_renogy(name: str) -> bool:
    """Whether an advertised name can be a Renogy device of a family that is known."""
    return profile_for_name(name) is not None or name.strip().upper().startswith(MODULE_PREFIX)


MANUFACTURER_ID: Final = 0xE14C
"""The first two bytes of the addresses of Pro batteries and shunts, which they send as a company."""


def may_be_renogy_by_manufacturer(address: str, manufacturer_data: Mapping[int, bytes]) -> bool:
    """Whether a device sends its own address as Renogy's do: the id, then the last four bytes.

    Source: captured advertisements of batteries. Names are missing where scans are passive.
    """
    raw = bytes.fromhex(address.replace(":", ""))
    data = manufacturer_data.get(MANUFACTURER_ID, b"")
    return raw[:2] == MANUFACTURER_ID.to_bytes(2, "little") and data.startswith(raw[2:])


def profile_for_name(name: str | None) -> Profile | None:
    """Return the family that an advertised name belongs to, if the name tells."""
    for profile in PROFILES.values():
        if _begins(name, profile.name_prefixes):
            return profile
    return None


def model_for_name(profile: Profile, name: str | None) -> Model | None:
    """Return the model that an advertised name belongs to, if the name tells."""
    for model in profile.models:
        if _begins(name, model.name_prefixes):
            return model
    return None


def _begins(name: str | None, prefixes: tuple[str, ...]) -> bool:
    """Whether a name begins with one of the prefixes, without regard to case."""
    upper = (name or "").strip().upper()
    return any(upper.startswith(prefix.upper()) for prefix in prefixes)


def family_of(model_text: str) -> tuple[Profile, Model] | None:
    """Return the family and the model that a model register's text names, if one is known."""
    for profile in PROFILES.values():
        if (model := profile.model_named(model_text)) is not None:
            return profile, model
    return None
