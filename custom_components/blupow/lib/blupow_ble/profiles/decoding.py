"""From registers to values, by the declarations of a profile. A value is true, or it is not there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field as dataclass_field

from .declaration import (
    PAIR_ENDINGS,
    Computed,
    Field,
    Kind,
    Rule,
    Value,
    WordOrder,
    digits,
    unknown,
)
from .profile import History, RegisterMap
from .word_order import inferred_order


class OutOfRange(ValueError):
    """A value that the device cannot mean."""


class Unnamed(ValueError):
    """A number that has no name in its enumeration."""

    def __init__(self, number: int) -> None:
        """Keep the number."""
        super().__init__(f"{number} has no name")
        self.number = number


@dataclass(slots=True)
class Decoded:
    """What registers mean."""

    values: dict[str, Value] = dataclass_field(default_factory=dict)
    dropped: list[str] = dataclass_field(default_factory=list)
    """Keys of values that were dropped because they cannot be true."""
    unknown: dict[str, int] = dataclass_field(default_factory=dict)
    """Numbers that have no name, by the key of their enumeration."""


def decode(register_map: RegisterMap, registers: Mapping[int, int]) -> Decoded:
    """Decode all fields whose registers (address -> 16-bit word) were read, then what follows from them."""
    decoded = Decoded()
    inferred = inferred_order(register_map, registers)
    for field in register_map.fields:
        if not _is_there(field, registers):
            continue
        order = inferred if field.order is WordOrder.INFERRED else field.order
        try:
            words = _high_first(field, registers, order)
            value = decode_field(field, words, register_map.no_value)
        except OutOfRange:
            decoded.dropped.append(field.key)
            continue
        except Unnamed as err:
            decoded.unknown[field.key] = err.number
            continue
        if value is not None:
            decoded.values[field.key] = value
    for computed in register_map.computed:
        try:
            value = compute(computed, decoded.values)
        except OutOfRange:
            decoded.dropped.append(computed.key)
            continue
        if value is not None:
            decoded.values[computed.key] = value
    return decoded


def _high_first(field: Field, registers: Mapping[int, int], order: WordOrder | None) -> list[int]:
    """Return the words of a field, the high one first. Raises OutOfRange if their order is not known."""
    if order is None:
        raise OutOfRange(f"the order of the words of {field.key} contradicts that of others")
    words = [registers[register] for register in field.registers]
    return words[::-1] if order is WordOrder.LOW_FIRST else words


def _is_there(field: Field, registers: Mapping[int, int]) -> bool:
    """Whether the registers of a field were read, and the device has as many of its kind."""
    if not all(register in registers for register in field.registers):
        return False
    if field.present_count is None:
        return True
    counter, number = field.present_count
    return registers.get(counter, 0) >= number


def decode_field(field: Field, words: Sequence[int], no_value: int | None = None) -> Value | None:
    """Decode one field from its words, the high one first; None where the device has no such value.

    Raises OutOfRange when the words cannot be a true value, Unnamed when an enumeration lacks the number.
    """
    if field.kind is Kind.TEXT:
        return _text(field, words)
    if no_value is not None and all(word == no_value for word in words):
        return None
    if field.no_sensor is not None and words[0] == field.no_sensor:
        return None
    match field.kind:
        case Kind.CODES:
            return [
                field.names.get(word, unknown(word)) for word in words if word not in (0, no_value)
            ]
        case Kind.HEX:
            return "".join(f"{word:04X}" for word in words)
        case Kind.VERSION:
            return "V" + ".".join(str(byte) for byte in (words[0] & 0xFF, *words[1].to_bytes(2)))
    number = _integer(field, words)
    match field.kind:
        case Kind.ENUM:
            if number not in field.names:
                raise Unnamed(number)
            return field.names[number]
        case Kind.FLAG:
            return bool(number)
        case Kind.BITS:
            return list(_bits(field, number))
        case Kind.PAIRS:
            return list(_pairs(field, number))
    return _number(field, number)


def compute(computed: Computed, values: Mapping[str, Value]) -> Value | None:
    """Return a value that follows from two others; None if one of them is missing.

    Raises OutOfRange when it cannot be true.
    """
    first, second = (values.get(key) for key in computed.of)
    if not isinstance(first, int | float) or not isinstance(second, int | float):
        return None
    if computed.rule is Rule.PRODUCT:
        result: float = first * second
    elif second:
        result = 100 * first / second
    else:
        return None
    value = _rounded(result, computed.scale)
    if not computed.valid[0] <= value <= computed.valid[1]:
        raise OutOfRange(f"{computed.key} cannot be {value}")
    return value


def decode_history(
    history: History, registers: Mapping[int, Sequence[int]], no_value: int | None = None
) -> dict[int, dict[str, int | float]]:
    """Return the values of each day (by how many days ago it was) from the spans that were read."""
    days: dict[int, dict[str, int | float]] = {}
    for day in range(history.days):
        for field in history.fields:
            if (words := registers.get(field.span + day * field.span_step)) is None:
                continue
            word = words[field.word + day * field.word_step]
            value = _rounded(word * field.scale, field.scale)
            if word != no_value and value <= field.maximum:
                days.setdefault(history.first_day + day, {})[field.key] = value
    return days


def _integer(field: Field, words: Sequence[int]) -> int:
    """Join words, the high one first; take the bits that count, and their sign."""
    number = 0
    for word in words:
        number = number << 16 | word
    shift, width = field.bits or (0, 16 * len(words))
    number = number >> shift & (1 << width) - 1
    top = 1 << width - 1
    if field.sign_magnitude and number & top:
        return top - number
    if field.signed and number & top:
        return number - (top << 1)
    return number


def _number(field: Field, number: int) -> int | float:
    """Return a number by the field's scale. Raises OutOfRange."""
    value = _rounded(number * field.scale, field.scale)
    if (limits := field.limits) is None or limits[0] <= value <= limits[1]:
        return value
    if field.fine_scale is not None:
        fine = _rounded(number * field.fine_scale, field.fine_scale)
        if limits[0] <= fine <= limits[1]:
            return fine
    raise OutOfRange(f"{field.key} cannot be {value}")


def _rounded(number: float, scale: float) -> int | float:
    """Return number with no more digits than the scale has."""
    places = digits(scale)
    return round(number, places) + 0.0 if places else round(number)  # no negative zero


def _bits(field: Field, number: int) -> Iterator[str]:
    """Go through the bits that are set: those with a name, then those that nothing is known of."""
    yield from (name for bit, name in field.names.items() if number >> bit & 1)
    for bit in range(number.bit_length()):
        if number >> bit & 1 and bit not in field.names and bit not in field.quiet:
            yield unknown(*_place(field, bit))


def _pairs(field: Field, number: int) -> Iterator[str]:
    """Go through the subjects whose two bits are set, then those that nothing is known of."""
    for position, name in field.names.items():
        if (state := number >> 2 * position & 3) != 0:
            yield f"{name}_{PAIR_ENDINGS[state]}"
    for bit in range(number.bit_length()):
        if number >> bit & 1 and bit // 2 not in field.names:
            yield unknown(*_place(field, bit))


def _place(field: Field, bit: int) -> tuple[int, int]:
    """Return the register of a field's bit, and its number there."""
    bit += field.bits[0] if field.bits is not None else 0
    return field.registers[-1 - bit // 16], bit % 16


def _text(field: Field, words: Sequence[int]) -> str | None:
    """Return the printable characters, without the padding; None if there are none."""
    raw = b"".join(word.to_bytes(2) for word in words)
    if field.bits is not None:
        raw = raw[1::2]
    text = "".join(chr(byte) for byte in raw if 0x20 <= byte < 0x7F).strip()
    return text or None
