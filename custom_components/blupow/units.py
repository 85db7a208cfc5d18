"""The units of an entry: its own, and a subentry for each further one behind the same module."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_MODEL

from .const import CONF_PROFILE, CONF_SERIAL_NUMBER, CONF_UNIT_ID, SUBENTRY_UNIT
from .lib.blupow_ble.profiles import PROFILES
from .lib.blupow_ble.profiles.profile import Profile
from .lib.blupow_ble.protocol.modbus import BROADCAST_UNIT
from .lib.blupow_ble.reader.plan import OWN_UNIT
from .lib.blupow_ble.reader.result import Finding
from .lib.blupow_ble.supervisor.unit_matching import DEVICE_ID
from .lib.blupow_ble.supervisor.unit_state import UnitState

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry

_NOT_MOVED: Final[Mapping[str, int]] = MappingProxyType({})


def units_of(entry: BluPowConfigEntry, unit_id: int | None = None) -> list[UnitState]:
    """Return the units that an entry is set up with, its own first. `unit_id` overrules that of its own."""
    own = _unit(entry.data, OWN_UNIT)
    if unit_id is not None:
        own.unit_id = unit_id
    return [own, *(_unit_of_subentry(subentry) for subentry in unit_subentries(entry))]


def unit_subentries(entry: BluPowConfigEntry) -> list[ConfigSubentry]:
    """Return the subentries of further units, in the order in which they were added."""
    return entry.get_subentries_of_type(SUBENTRY_UNIT)


def subentry_id_of(entry: BluPowConfigEntry, unit: UnitState) -> str | None:
    """Return the id of a unit's subentry; None for the entry's own unit."""
    for subentry in unit_subentries(entry):
        if subentry.unique_id == unit.key:
            return subentry.subentry_id
    return None


def _unit_of_subentry(subentry: ConfigSubentry) -> UnitState:
    assert subentry.unique_id is not None
    return _unit(subentry.data, subentry.unique_id)


def _unit(data: Mapping[str, Any], key: str) -> UnitState:
    profile = PROFILES[data[CONF_PROFILE]]
    model = data.get(CONF_MODEL)
    return UnitState(
        key=key,
        profile=profile,
        model=profile.model(model) if model else None,
        unit_id=data.get(CONF_UNIT_ID),
        set_up_serial_number=data.get(CONF_SERIAL_NUMBER),
    )


def unit_title(profile: Profile, unit_id: int | None) -> str:
    """Return the title of a further unit's subentry."""
    return f"{profile.name} {unit_id}"


def unit_name(name: str, unit: UnitState) -> str:
    """Return the name of a unit that is one of several behind a device of that name."""
    number = unit.unit_id if unit.own else unit.key
    return f"{name} {unit.profile.name} {number or ''}".strip()


def unit_id_of_own(
    data: Mapping[str, Any], own: UnitState, moved: Mapping[str, int] = _NOT_MOVED
) -> int | None:
    """Return the unit ID that an entry's own unit is asked by from now on."""
    if own.key in moved:
        return moved[own.key]
    stored, sent = data.get(CONF_UNIT_ID), own.identity.get(DEVICE_ID)
    if stored in (None, BROADCAST_UNIT) and isinstance(sent, int):
        return sent  # asked as 255, all of them would answer
    return stored


def new_subentries(
    findings: Sequence[Finding], taken: Iterable[str | None]
) -> list[ConfigSubentry]:
    """Return the subentries that add units; a key that was taken once is another unit's for good."""
    keys = set(taken)
    added: list[ConfigSubentry] = []
    for finding in findings:
        key = next(
            key
            for number in count()
            if (key := f"{finding.unit_id}" + (f"_{number + 1}" if number else "")) not in keys
        )
        keys.add(key)
        added.append(
            ConfigSubentry(
                subentry_type=SUBENTRY_UNIT,
                title=unit_title(PROFILES[finding.profile], finding.unit_id),
                unique_id=key,
                data=MappingProxyType(
                    {
                        CONF_PROFILE: finding.profile,
                        CONF_MODEL: finding.model or _unlisted(finding),
                        CONF_UNIT_ID: finding.unit_id,
                        CONF_SERIAL_NUMBER: finding.serial_number,
                    }
                ),
            )
        )
    return added


def _unlisted(finding: Finding) -> str | None:
    """Return the model that a unit in no list is read as: what all models have in common."""
    other = PROFILES[finding.profile].other_model
    return other.key if other is not None else None
