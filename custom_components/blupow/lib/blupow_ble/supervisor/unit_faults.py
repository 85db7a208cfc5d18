"""What the last reading of a unit says of its faults and alarms. Pure functions of its state."""

from ..profiles.declaration import ANY_UNKNOWN_FAULT, Fault, FaultGroup, is_unknown
from ..profiles.presentation import NONE
from .unit_state import UnitState


def active_faults(unit: UnitState, group: FaultGroup | None) -> list[Fault] | None:
    """Return the active faults of a group, the worst first; None if the reading did not tell.

    The group None is that of all faults.
    """
    if (active := unit.active_faults) is None:
        return None
    unnamed = sorted(name for name in active if is_unknown(name))
    faults = (
        *(fault for fault in unit.profile.faults if fault.name in active),
        *(Fault(name=name, group=ANY_UNKNOWN_FAULT.group) for name in unnamed),
    )
    return [fault for fault in faults if group in (None, fault.group)]


def has_fault(unit: UnitState, group: FaultGroup | None) -> bool | None:
    """Return whether a fault of a group is active; None if the reading did not tell of all there may be."""
    active = active_faults(unit, group)
    if active:
        return True
    return False if active is not None and unit.knows(group) else None


def worst_fault(unit: UnitState) -> str | None:
    """Return the state of the worst fault, NONE where there is none; None if the reading did not tell."""
    if (worst := unit.profile.worst(unit.active_faults or ())) is not None:
        return worst.state
    return NONE if unit.active_faults is not None and unit.knows(None) else None
