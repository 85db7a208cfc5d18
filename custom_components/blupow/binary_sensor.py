"""Binary sensors: the faults and alarms that units report, and what is on or off."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .descriptions import FAULT, cells_of, describe_flag, describe_group
from .entity import BluPowReadingEntity, EntityWhenSeen, add_when_seen
from .lib.blupow_ble.profiles.declaration import (
    ANY_UNKNOWN_FAULT,
    Fault,
    FaultGroup,
    Field,
    Kind,
    is_unknown,
)
from .lib.blupow_ble.supervisor.unit_state import UnitState

PARALLEL_UPDATES = 0

ACTIVE: Final = "active"


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors."""
    for coordinator in entry.runtime_data.coordinators:
        add_when_seen(
            coordinator,
            async_add_entities,
            (item for unit in coordinator.supervisor.units for item in _of_unit(coordinator, unit)),
        )


def _of_unit(coordinator: BluPowCoordinator, unit: UnitState) -> Iterator[EntityWhenSeen]:
    """Yield the binary sensors of a unit."""
    for field in unit.register_map.fields:
        if field.kind is Kind.FLAG:
            yield EntityWhenSeen(
                unit=unit,
                key=field.key,
                seen=partial(unit.has_sent, field.key) if field.optional else lambda: True,
                create=partial(BluPowFlag, coordinator, unit, field),
            )
    for group in groups_of(unit):
        yield EntityWhenSeen(
            unit=unit,
            key=described(group).key,
            seen=partial(unit.has_reported, group),
            create=partial(BluPowFault, coordinator, unit, group),
        )


def groups_of(unit: UnitState) -> list[FaultGroup | None]:
    """Return the groups of a unit's faults; None is that of all of them."""
    groups = dict.fromkeys(fault.group for fault in unit.profile.faults)
    return [None, *groups] if groups else []


def described(group: FaultGroup | None) -> BinarySensorEntityDescription:
    """Return the description of the binary sensor of a group, or of all of them."""
    return FAULT if group is None else describe_group(group)


class BluPowFlag(BluPowReadingEntity, BinarySensorEntity):
    """Something that is on or off."""

    def __init__(self, coordinator: BluPowCoordinator, unit: UnitState, field: Field) -> None:
        """Initialize the binary sensor of a field."""
        super().__init__(coordinator, unit, describe_flag(field))

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether it is on; None if this reading did not tell."""
        value = self.unit.value(self.entity_description.key)
        return value if isinstance(value, bool) else None


class BluPowFault(BluPowReadingEntity, BinarySensorEntity):
    """Whether a unit reports a fault of a group."""

    def __init__(
        self, coordinator: BluPowCoordinator, unit: UnitState, group: FaultGroup | None
    ) -> None:
        """Initialize the binary sensor of a group, or of all of them."""
        super().__init__(coordinator, unit, described(group))
        self._group = group

    @property
    def _active(self) -> list[Fault] | None:
        """The group's active faults, the worst first; None if this reading did not tell."""
        if (active := self.unit.active_faults) is None:
            return None
        unnamed = sorted(name for name in active if is_unknown(name))
        faults = (
            *(fault for fault in self.unit.profile.faults if fault.name in active),
            *(Fault(name=name, group=ANY_UNKNOWN_FAULT.group) for name in unnamed),
        )
        return [fault for fault in faults if self._group in (None, fault.group)]

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether a fault is active; None if this reading did not tell of all there may be."""
        if self._active:
            return True
        return False if self._active is not None and self.unit.knows(self._group) else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return the active faults, the worst first, and the cells that they are about."""
        if (active := self._active) is None:
            return None
        return {ACTIVE: list(dict.fromkeys(fault.state for fault in active))} | cells_of(active)
