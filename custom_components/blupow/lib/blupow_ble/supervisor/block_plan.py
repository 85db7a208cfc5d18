"""Which blocks of each unit the next poll asks for, by how they were answered lately."""

from collections.abc import Iterator, Sequence
import math

from ..profiles.declaration import Span
from ..protocol.errors import ErrorCode
from ..reader.plan import UnitPlan
from ..reader.result import Reading, UnitReading
from .policies import KNOWN_BLOCK, BlockRecord
from .unit_settings import SETTINGS_INTERVAL
from .unit_state import UnitState


class BlockPlan:
    """Plans the blocks of all units behind one link. Times are seconds of the monotonic clock."""

    def __init__(
        self, units: Sequence[UnitState], *, settings: bool = False, interval: float = 0.0
    ) -> None:
        """Start with blocks that were never asked for.

        `settings`: those that can be changed are read too, so many in a reading every `interval` that
        each has its turn in time.
        """
        self._units = units
        self._settings = settings
        self._interval = interval
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
            spans=self._spans(unit, now) if self._settings else (),
        )

    def _spans(self, unit: UnitState, now: float) -> tuple[Span, ...]:
        """Return the settings to read: those that were never read, else those that are due longest."""
        due = [
            span
            for span in unit.settings.spans
            if self._record(unit, _name(span)).due(now)
            and now - unit.settings.read_at(span) >= SETTINGS_INTERVAL
        ]
        if new := [span for span in due if unit.settings.read_at(span) == float("-inf")]:
            return tuple(new)
        share = math.ceil(len(unit.settings.spans) * self._interval / SETTINGS_INTERVAL)
        return tuple(sorted(due, key=unit.settings.read_at)[: max(share, 1)])

    def learn(self, unit: UnitState, reading: UnitReading, now: float) -> None:
        """Note which blocks of a unit were answered."""
        blocks = {block.key: block for block in unit.register_map.blocks}
        for key in (*blocks, *(_name(span) for span in unit.settings.spans)):
            record, block = self._record(unit, key), blocks.get(key)
            code = reading.failed.get(key)
            start = int(key) if block is None else block.start
            if start in reading.registers:
                identity = block is not None and block.identity
                record = KNOWN_BLOCK if identity else record.after_answer()
            elif code in (ErrorCode.MODBUS_EXCEPTION, ErrorCode.NO_RESPONSE):
                record = record.after_miss(now, refused=code is ErrorCode.MODBUS_EXCEPTION)
            else:
                continue
            self._records[unit.key, key] = record

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


def _name(span: Span) -> str:
    """Return how a reading names a span that failed."""
    return str(span.start)
