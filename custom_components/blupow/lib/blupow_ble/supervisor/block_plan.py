"""Which blocks of each unit the next poll asks for, by how they were answered lately."""

from collections.abc import Iterator, Sequence

from ..protocol.errors import ErrorCode
from ..reader.plan import UnitPlan
from ..reader.result import Reading, UnitReading
from .policies import KNOWN_BLOCK, BlockRecord
from .unit_state import UnitState


class BlockPlan:
    """Plans the blocks of all units behind one link. Times are seconds of the monotonic clock."""

    def __init__(self, units: Sequence[UnitState]) -> None:
        """Start with blocks that were never asked for."""
        self._units = units
        self._records: dict[tuple[str, str], BlockRecord] = {}

    def of(self, unit: UnitState, now: float) -> UnitPlan:
        """Plan the reading of a unit: identity blocks until they were read, others unless on cooldown."""
        return UnitPlan(
            key=unit.key,
            profile=unit.profile,
            model=unit.model,
            unit_id=unit.unit_id,
            blocks=tuple(
                block.key
                for block in unit.register_map.blocks
                if self._record(unit, block.key).due(now)
                or (not unit.verified and unit.holds_serial_number(block))
            ),
        )

    def learn(self, unit: UnitState, reading: UnitReading, now: float) -> None:
        """Note which blocks of a unit were answered."""
        for block in unit.register_map.blocks:
            record = self._record(unit, block.key)
            code = reading.failed.get(block.key)
            if block.start in reading.registers:
                record = KNOWN_BLOCK if block.identity else record.after_answer()
            elif code in (ErrorCode.MODBUS_EXCEPTION, ErrorCode.NO_RESPONSE):
                record = record.after_miss(now, refused=code is ErrorCode.MODBUS_EXCEPTION)
            else:
                continue
            self._records[unit.key, block.key] = record

    def missing(self, reading: Reading) -> Iterator[str]:
        """Yield the blocks that a reading lacks although the device has them."""
        for unit in self._units:
            if (of_unit := reading.units.get(unit.key)) is None:
                continue
            for block in unit.register_map.blocks:
                answered = self._record(unit, block.key).answered
                if answered and not block.identity and block.start not in of_unit.registers:
                    yield block.key if unit.own else f"{unit.key}: {block.key}"

    def _record(self, unit: UnitState, block: str) -> BlockRecord:
        return self._records.get((unit.key, block), BlockRecord())
