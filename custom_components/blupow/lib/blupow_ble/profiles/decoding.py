"""From registers to values, by the declarations of a profile. A value is true, or it is not there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field as dataclass_field

from .declaration import NOT_THERE, Field, Kind, RegisterMap, Value


class OutOfRange(ValueError):
    """A value that the device cannot mean."""


@dataclass(slots=True)
class Decoded:
    """Values by key, and the keys of those that were dropped because they cannot be true."""

    values: dict[str, Value] = dataclass_field(default_factory=dict)
    dropped: list[str] = dataclass_field(default_factory=list)


def decode(register_map: RegisterMap, registers: Mapping[int, int]) -> Decoded:
    """Decode all fields whose registers (address -> 16-bit word) were read."""
    decoded = Decoded()
    for field in register_map.fields:
        if not all(register in registers for register in field.registers):
            continue
        words = [registers[register] for register in field.registers]
        try:
            value = decode_field(field, words)
        except OutOfRange:
            decoded.dropped.append(field.key)
            continue
        if value is not None:
            decoded.values[field.key] = value
    return decoded


def decode_field(field: Field, words: Sequence[int]) -> Value | None:
    """Decode one field; None where the device says that it has no such value.

    Raises OutOfRange when the words cannot be a true value.
    """
    if field.kind is Kind.TEXT:
        return _text(words)
    if all(word == NOT_THERE for word in words):
        return None
    if field.kind is Kind.CODES:
        return [_name(field, word) for word in words if word not in (0, NOT_THERE)]
    number = _integer(field, words)
    if field.kind is Kind.ENUM:
        return _name(field, number)
    value = _scaled(number, field.scale)
    if field.valid and not field.valid[0] <= value <= field.valid[1]:
        raise OutOfRange(f"{field.key} cannot be {value}")
    return value


def _integer(field: Field, words: Sequence[int]) -> int:
    """Join words, the high one first; two's complement where signed."""
    number = 0
    for word in words:
        number = number << 16 | word
    if field.low_byte:
        return number & 0xFF
    bits = 16 * len(words)
    if field.signed and number >= 1 << (bits - 1):
        number -= 1 << bits
    return number


def _scaled(number: int, scale: float) -> int | float:
    """Return number times scale with no more digits than the scale has."""
    if scale == 1:
        return number
    digits = max(0, len(f"{abs(scale):g}".partition(".")[2]))
    value = round(number * scale, digits) + 0.0  # no negative zero
    return value if digits else int(value)


def _name(field: Field, number: int) -> str:
    """Return the name of a number."""
    name = field.names.get(number, field.other)
    if name is None:
        raise OutOfRange(f"{field.key} has no meaning for {number}")
    return name


def _text(words: Sequence[int]) -> str | None:
    """Return the printable characters, without the padding; None if there are none."""
    raw = b"".join(word.to_bytes(2, "big") for word in words)
    text = "".join(chr(byte) for byte in raw if 0x20 <= byte < 0x7F).strip()
    return text or None
