"""The device families that are known."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .declaration import Profile
from .inverter import INVERTER

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({INVERTER.key: INVERTER})


def profile_for_name(name: str | None) -> Profile | None:
    """Return the family that an advertised name belongs to, if the name tells."""
    if not name:
        return None
    upper = name.strip().upper()
    for profile in PROFILES.values():
        if upper.startswith(profile.name_prefixes):
            return profile
    return None
