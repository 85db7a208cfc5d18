"""Which of the units that a search has found are known already. Pure."""

from collections import Counter as Tally
from collections.abc import Sequence
from typing import Final

from ..reader.result import Finding
from .unit_state import UnitState

DEVICE_ID: Final = "device_id"
"""The value that holds a unit's own unit ID."""


def new_units(units: Sequence[UnitState], found: Sequence[Finding]) -> list[Finding]:
    """Return those of the units found that are not known, whatever unit ID they answered by."""
    return [finding for finding in found if _known(units, found, finding) is None]


def moved_units(units: Sequence[UnitState], found: Sequence[Finding]) -> dict[str, int]:
    """Return the unit IDs that known units were found by, by their keys.

    Batteries that are plugged in again may change their unit IDs; the serial number identifies them.
    """
    return {
        unit.key: finding.unit_id
        for finding in found
        if finding.unit_id is not None and (unit := _known(units, found, finding))
    }


def _known(
    units: Sequence[UnitState], found: Sequence[Finding], finding: Finding
) -> UnitState | None:
    """Return the known unit that was found, by its serial number, else by its unit ID.

    A serial number that several have is none: some devices all have the same one.
    """
    found_numbers = Tally(other.serial_number for other in found)
    known_numbers = Tally(unit.serial_number for unit in units)
    number = finding.serial_number
    if found_numbers[number] > 1 or known_numbers[number] > 1:
        number = None
    if number is not None:
        for unit in units:
            if (unit.profile.key, unit.serial_number) == (finding.profile, number):
                return unit
    for unit in units:
        unit_ids = (unit.unit_id, unit.identity.get(DEVICE_ID))
        alike = unit.profile.key == finding.profile and finding.unit_id in unit_ids
        if alike and None in (unit.serial_number, number):
            return unit
    return None
