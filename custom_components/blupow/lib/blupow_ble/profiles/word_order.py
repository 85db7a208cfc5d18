"""Which word of a device's 32-bit totals comes first, inferred from the numbers themselves. Pure.

The vendor documents the high word first; machines of the same maker send the low word first (captured).
"""

from collections.abc import Mapping

from .declaration import Field, WordOrder
from .profile import RegisterMap

_ORDERS = (WordOrder.HIGH_FIRST, WordOrder.LOW_FIRST)


def inferred_order(register_map: RegisterMap, registers: Mapping[int, int]) -> WordOrder | None:
    """Return the order that the totals tell; the documented one, high first, if none of them tells.

    None: they contradict each other, so that none of them can be believed.
    """
    inferred = {
        order
        for field in register_map.fields
        if field.order is WordOrder.INFERRED
        and all(register in registers for register in field.registers)
        and (order := _told_by(field, _today(register_map, field, registers), registers))
        is not None
    }
    if not inferred:
        return WordOrder.HIGH_FIRST
    return inferred.pop() if len(inferred) == 1 else None


def _today(register_map: RegisterMap, total: Field, registers: Mapping[int, int]) -> int:
    """Return what a total has counted today, in its last digit; 0 where that is not known."""
    for field in register_map.fields:
        if field.key == total.today and (word := registers.get(field.register)) is not None:
            return 0 if word == register_map.no_value else word
    return 0


def _told_by(field: Field, today: int, registers: Mapping[int, int]) -> WordOrder | None:
    """Return the order that one total tells: the only one in which it can be true.

    A total has its limit, and is not below what was counted today. Where both can be, a high word of
    zero tells: totals stay below 65536 digits for years, and are hardly ever a multiple of them.
    """
    first, second = (registers[register] for register in field.registers)
    numbers = dict(zip(_ORDERS, (first << 16 | second, second << 16 | first), strict=True))
    most = field.limits[1] / field.scale if field.limits is not None else 0xFFFFFFFF
    possible = [order for order in _ORDERS if today <= numbers[order] <= most]
    if len(possible) == 2:
        possible = [order for order in possible if numbers[order] <= 0xFFFF]
    return possible[0] if len(possible) == 1 else None
