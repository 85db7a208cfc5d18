"""The background search for units behind a module: one unit ID in each tenth good poll."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final

from ..protocol.modbus import BROADCAST_UNIT
from ..reader.probing import likely_unit_ids
from .unit_state import UnitState

POLLS_BETWEEN_LOOKS: Final = 10
"""Good polls; the last one of them asks one unit ID more."""


class BackgroundSearch:
    """Says which unit ID is asked when: all usual ones in turn, for ever."""

    def __init__(self, units: Sequence[UnitState]) -> None:
        """Begin with the likeliest unit ID; a device that only sends is never asked."""
        self._units = units
        asked = units[0].profile.push is None
        usual = [unit_id for unit_id in likely_unit_ids() if unit_id != BROADCAST_UNIT]
        self._usual = usual if asked else []
        self._following: Iterator[int] = cycle(self._usual)
        self._good_polls = 0

    def poll_was_good(self) -> None:
        """Count a good poll."""
        self._good_polls += 1

    def due(self) -> int | None:
        """Return the unit ID that the next poll asks; None for most polls."""
        if self._good_polls < POLLS_BETWEEN_LOOKS - 1:
            return None
        self._good_polls = -1
        known = {unit.unit_id for unit in self._units}
        for _ in self._usual:
            if (unit_id := next(self._following)) not in known:
                return unit_id
        return None
