"""The virtual device: answers as a Modbus slave does, with values that hang together."""

import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.decoding import decode
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.protocol.modbus import (
    ReadRequest,
    ReplyCollector,
    WriteRequest,
    parse_reply,
    seal,
)
from custom_components.blupow.lib.blupow_ble.virtual.device import (
    KINDS,
    VirtualDevice,
    VirtualShunt,
    virtual_bus,
    virtual_device,
)
from custom_components.blupow.lib.blupow_ble.virtual.inverter import LOAD, inverter_registers
from custom_components.blupow.lib.blupow_ble.virtual.link import VirtualLink

from ...helpers.devices import NOW
from ...helpers.frames import BATTERY_CAPTURES, SRNE_LIVE, Capture

DEVICE = VirtualDevice(clock=lambda: NOW)
HOUR = 3600.0
DISCHARGING_BATTERY = next(
    capture for capture in BATTERY_CAPTURES if capture.values.get("battery_current") == -2.01
)


def values_at(now: float) -> dict:
    """Return all values at a time."""
    return decode(INVERTER.register_map(), inverter_registers(now)).values


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        ReadRequest(32, 4000, 10).encode()[:-1],
        ReadRequest(32, 4000, 10).encode()[:-1] + b"\0",
        ReadRequest(33, 4000, 10).encode(),
    ],
    ids=["nothing", "cut off", "checksum", "other unit"],
)
def test_silence(request_: bytes) -> None:
    """A damaged request, or one for another unit, is not answered."""
    assert DEVICE.answer(request_) is None


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (seal(bytes.fromhex("20780000000a")), 1),
        (ReadRequest(32, 9999, 1).encode(), 2),
        (ReadRequest(32, 4005, 10).encode(), 2),
        (WriteRequest(32, 9999, (1,)).encode(), 2),
        (seal(bytes.fromhex("20030fa000c8")), 3),
        (seal(bytes.fromhex("20030fa00000")), 3),
    ],
)
def test_exceptions(request_: bytes, code: int) -> None:
    """What it cannot do is refused with the documented code."""
    reply = DEVICE.answer(request_)
    assert reply is not None
    assert reply == seal(bytes((32, request_[1] | 0x80, code)))


def test_universal_address() -> None:
    """Asked as 255 it answers under its own address."""
    reply = DEVICE.answer(ReadRequest(255, 4109, 1).encode())
    assert reply == seal(bytes.fromhex("2003020020"))


def test_write_is_kept() -> None:
    """A written register holds its value."""
    device = VirtualDevice(clock=lambda: NOW)
    request = WriteRequest(32, 4000, (1234,))
    assert device.answer(request.encode()) == request.encode()
    read = ReadRequest(32, 4000, 1)
    reply = ReplyCollector(read).feed(device.answer(read.encode()) or b"")
    assert reply is not None
    assert reply.words == (1234,)


def test_values_move_and_hang_together() -> None:
    """The energy counters count what the powers say."""
    early, late = values_at(NOW), values_at(NOW + HOUR)
    assert early["load_active_power"] != late["load_active_power"]
    counted = late["load_energy_total"] - early["load_energy_total"]
    assert counted == pytest.approx(LOAD.integral(NOW, NOW + HOUR) / 3.6e6, abs=0.11)
    assert early["output_current"] == pytest.approx(
        early["load_active_power"] / early["output_voltage"], abs=0.02
    )


def test_no_value_is_ever_dropped() -> None:
    """Over a day all values are within their ranges, and totals never fall."""
    before = values_at(NOW)
    for minute in range(1, 24 * 60, 7):
        decoded = decode(INVERTER.register_map(), inverter_registers(NOW + 60 * minute))
        assert decoded.dropped == []
        for key in ("load_energy_total", "solar_energy_total", "charged_total"):
            assert decoded.values[key] >= before[key]
        before = decoded.values


async def test_link_without_a_listener() -> None:
    """Nothing is delivered to nobody."""
    link = VirtualLink(DEVICE)
    await link.connect()
    await link.write_gatt_char(
        next(iter(link.services)).characteristics[0], ReadRequest(32, 4000, 10).encode(), False
    )
    await link.disconnect()
    assert link.disconnected.is_set()


@pytest.mark.parametrize("kind", ["inverter", "srne", "controller", "dcdc", "battery"])
def test_every_kind_holds_true_values(kind: str) -> None:
    """Whatever the time, nothing is dropped."""
    family = PROFILES["inverter" if kind == "srne" else kind]
    register_map = family.register_map(family.model("SRNE") if kind == "srne" else family.models[0])
    for hour in range(0, 48, 5):
        device = virtual_device(kind, lambda hour=hour: NOW + 3600 * hour)
        assert isinstance(device, VirtualDevice)
        decoded = decode(register_map, device.registers())
        assert decoded.dropped == []
        assert set(decoded.values) >= {
            field.key for field in register_map.fields if not field.optional
        }


def test_asked_devices_push_nothing_and_shunts_answer_nothing() -> None:
    """Each speaks its own way."""
    assert virtual_device("battery").frame() == b""
    assert virtual_bus([("battery", 48)]).frame() == b""
    assert virtual_device("shunt").answer(ReadRequest(1, 0, 1).encode()) is None


def test_units_of_a_bus_destroy_each_others_answers() -> None:
    """Asked as 255 all answer at once."""
    bus = virtual_bus([("battery", 48), ("battery", 49)], lambda: NOW)
    request = ReadRequest(255, 5042, 6)
    assert ReplyCollector(request).feed(bus.answer(request.encode()) or b"") is None
    alone = ReadRequest(49, 5042, 6)
    assert ReplyCollector(alone).feed(bus.answer(alone.encode()) or b"") is not None


def test_overrides_of_a_shunt() -> None:
    """Words of its frame."""
    shunt = VirtualShunt(lambda: NOW, {17: 1234})
    assert int.from_bytes(shunt.frame()[34:36]) == 1234


@pytest.mark.parametrize(
    ("kind", "register", "capture"),
    # both were captured while they discharge
    [("srne", 0x0102, SRNE_LIVE), ("battery", 5042, DISCHARGING_BATTERY)],
)
def test_signs_are_those_of_captures(kind: str, register: int, capture: Capture) -> None:
    """A virtual device sends a current with the sign that a real one sent: never that of the profile."""
    words = dict(enumerate(parse_reply(bytes.fromhex(capture.frame)).words, capture.start))
    real = words[register] - 0x10000 * (words[register] >> 15)
    device = virtual_device(kind, lambda: NOW)
    for hour in range(24):
        registers = KINDS[kind].registers(NOW + 1000 * hour, device.unit_id, device.model)
        sent = registers[register] - 0x10000 * (registers[register] >> 15)
        # the virtual SRNE charges from the sun; the battery's capacity tells
        later = KINDS[kind].registers(NOW + 1000 * hour + 60, device.unit_id, device.model)
        charges = kind == "srne" or later[5045] > registers[5045]
        assert (sent * real < 0) is charges or sent == 0
