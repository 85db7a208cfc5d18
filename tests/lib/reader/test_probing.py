"""Probing: what is behind a module is found out by reads alone, each unit once."""

from collections.abc import Iterable
from typing import ClassVar, override

from bleak.backends.service import BleakGATTServiceCollection
import pytest

from custom_components.blupow.lib.blupow_ble.protocol import session
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.reader import probing
from custom_components.blupow.lib.blupow_ble.reader.probing import Prober, likely_unit_ids
from custom_components.blupow.lib.blupow_ble.reader.result import Finding
from custom_components.blupow.lib.blupow_ble.virtual.device import (
    Module,
    VirtualBus,
    VirtualDevice,
    VirtualShunt,
    virtual_bus,
    virtual_device,
)

from ...helpers.devices import NOW, TestLink


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait shortly: what is tested is who is asked, not for how long."""
    monkeypatch.setattr(probing, "PROBE_TIMEOUT", 0.03)
    monkeypatch.setattr(probing, "REQUEST_TIMEOUT", 0.03)
    monkeypatch.setattr(session, "DRAIN_QUIET", 0.001)


class Listener(VirtualBus):
    """A bus on which all requests are written down."""

    def __init__(self, devices: Iterable[VirtualDevice]) -> None:
        """Begin with none."""
        super().__init__(list(devices))
        self.requests: list[bytes] = []

    @override
    def answer(self, request: bytes) -> bytes | None:
        self.requests.append(request)
        return super().answer(request)


async def identify(module: Module) -> Finding:
    """Find out what is behind a module."""
    prober = Prober(TestLink(module))
    try:
        return await prober.identify()
    finally:
        await prober.close()


@pytest.mark.parametrize(
    ("kind", "unit", "finding"),
    [
        (
            "inverter",
            32,
            Finding(
                unit_id=32,
                profile="inverter",
                model="RIV1230RCH",
                model_text="RIV1230RCH-SPS",
                serial_number="VIRTUAL00000000001",
            ),
        ),
        ("srne", 1, Finding(unit_id=1, profile="inverter", model="SRNE")),
        (
            "controller",
            17,
            Finding(
                unit_id=17,
                profile="controller",
                model="Rover",
                model_text="RNG-CTRL-RVR40",
                serial_number="1501FFFF",
            ),
        ),
        (
            "dcdc",
            96,
            Finding(
                unit_id=96,
                profile="dcdc",
                model="RBC",
                model_text="RBC50D1S-G6",
                serial_number="22010042",
            ),
        ),
        (
            "battery",
            33,
            Finding(
                unit_id=33,
                profile="battery",
                model="SMART",
                model_text="RBT100LFP12-BT",
                serial_number="VIRTUAL-BATT-033",
            ),
        ),
    ],
)
@pytest.mark.parametrize("universal", [True, False])
async def test_identify(kind: str, unit: int, finding: Finding, universal: bool) -> None:
    """Whether it answers the universal address, under its own, or its own alone; reads only."""

    class Deaf(VirtualDevice):
        @override
        def answer(self, request: bytes) -> bytes | None:
            return (
                None if request[0] == 255 and not universal else VirtualDevice.answer(self, request)
            )

    model = virtual_device(kind).model
    bus = Listener([Deaf(unit_id=unit, model=model, kind=kind, clock=lambda: NOW)])
    assert await identify(bus) == finding
    assert {request[1] for request in bus.requests} == {3}


async def test_unknown_name_is_its_family_without_a_model() -> None:
    """What answers as an inverter is one; who knows the model is asked."""
    device = VirtualDevice(model="XYZ", clock=lambda: NOW)
    assert await identify(device) == Finding(
        unit_id=32, profile="inverter", model_text="XYZ", serial_number="VIRTUAL00000000001"
    )


async def test_unit_with_an_address_of_its_own() -> None:
    """Asked as 255 it tells an address that no family is known by."""
    finding = await identify(VirtualDevice(unit_id=77, clock=lambda: NOW))
    assert (finding.unit_id, finding.profile) == (77, "inverter")


async def test_nobody_answers() -> None:
    """Each address is asked once, and the failure says what is wrong."""
    bus = Listener([])
    with pytest.raises(ReaderError, match="no Renogy device") as caught:
        await identify(bus)
    assert caught.value.code is ErrorCode.NO_RESPONSE
    assert len(bus.requests) == len(set(bus.requests))
    assert [*dict.fromkeys(request[0] for request in bus.requests)] == list(likely_unit_ids())


async def test_time_is_limited() -> None:
    """A search that takes too long is ended with an error."""
    with pytest.raises(ReaderError) as caught:
        await Prober(TestLink(Listener([])), budget=0.02).identify()
    assert caught.value.code is ErrorCode.READER_TIMEOUT


async def test_dropped_link() -> None:
    """A link that drops ends the search."""
    link = TestLink(Listener([]))
    link.drop_at = 4000
    with pytest.raises(ReaderError) as caught:
        await Prober(link).identify()
    assert caught.value.code is ErrorCode.CONNECT_FAILED


async def test_sweep() -> None:
    """All units are found, whatever their kind; the universal address is never used."""
    bus = virtual_bus([("battery", 48), ("battery", 50), ("controller", 96)], lambda: NOW)
    listener = Listener(bus.devices)
    prober = Prober(TestLink(listener))
    found = await prober.find_all()
    await prober.close()
    assert {(finding.unit_id, finding.profile) for finding in found} == {
        (48, "battery"),
        (50, "battery"),
        (96, "controller"),
    }
    assert 255 not in {request[0] for request in listener.requests}
    assert len(listener.requests) == len(set(listener.requests))


@pytest.mark.parametrize(
    ("units", "unit_ids"),
    [
        ([("controller", 16), ("controller", 17), ("controller", 18), ("controller", 19)], ()),
        ([("dcdc", 96), ("dcdc", 97), ("dcdc", 98)], ()),
        ([("inverter", 31), ("inverter", 32), ("inverter", 33)], ()),
        ([("battery", number) for number in range(48, 58)], ()),
        ([("battery", 72), ("battery", 73)], (72,)),
        ([("battery", 72), ("battery", 73), ("controller", 1)], (73,)),
        ([("controller", 246), ("controller", 247)], (247,)),
        ([("battery", 1), ("controller", 2)], (1, 2)),
    ],
)
async def test_sweep_goes_on_around_each_one_found(
    units: list[tuple[str, int]], unit_ids: tuple[int, ...]
) -> None:
    """Runs of addresses, upward and downward, also around one that the user names; none is asked twice."""
    bus = Listener(virtual_bus(units, lambda: NOW).devices)
    prober = Prober(TestLink(bus), unit_ids=unit_ids)
    found = await prober.find_all()
    await prober.close()
    assert {(finding.profile, finding.unit_id) for finding in found} == set(units)
    assert len(bus.requests) == len(set(bus.requests))
    assert all(1 <= request[0] <= 247 for request in bus.requests)


async def test_address_that_is_named_is_asked_first() -> None:
    """The user knows better than the list."""
    bus = Listener(virtual_bus([("battery", 72)], lambda: NOW).devices)
    prober = Prober(TestLink(bus), unit_ids=(72,))
    assert (await prober.identify()).unit_id == 72
    await prober.close()
    assert {request[0] for request in bus.requests} == {72}


async def test_shunt_without_a_name() -> None:
    """Its services tell it; nothing is asked of it."""
    assert await identify(VirtualShunt(clock=lambda: NOW)) == Finding(
        unit_id=None, profile="shunt", model="RTMShunt300"
    )
    prober = Prober(TestLink(VirtualShunt(clock=lambda: NOW)))
    assert await prober.find_all() == []
    await prober.close()


async def test_another_product() -> None:
    """A device with none of the services."""
    link = TestLink(VirtualShunt(clock=lambda: NOW))
    link.services = BleakGATTServiceCollection()
    with pytest.raises(ReaderError) as caught:
        await Prober(link).identify()
    assert caught.value.code is ErrorCode.SERVICE_MISSING


class Hybrid(Listener):
    """An inverter that has both maps, of which replies for some registers get lost."""

    lost: ClassVar[list[int]] = []

    @override
    def answer(self, request: bytes) -> bytes | None:
        start = int.from_bytes(request[2:4])
        if start in self.lost:
            self.lost.remove(start)
            return None
        return super().answer(request)


async def test_lost_reply_does_not_make_another_map() -> None:
    """The maker's own map is taken only where it is the only one that answers."""
    device = VirtualDevice(model="RIV4835CSH1S", clock=lambda: NOW)
    device.overrides = {0x000A: 0x3050, 0x000B: 4}
    hybrid = Hybrid([device])
    hybrid.lost.extend([4000, 4000])
    finding = await identify(hybrid)
    assert (finding.profile, finding.model) == ("inverter", "RIV4835CSH1S")


async def test_controllers_and_dc_dc_chargers_answer_alike() -> None:
    """Only the model's name tells them apart: without it none is taken for the other."""
    device = virtual_device("dcdc", lambda: NOW)
    assert isinstance(device, VirtualDevice)
    bus = Hybrid([device])
    bus.lost.append(0x000C)
    assert (await identify(bus)).profile == "dcdc"
    bus.lost.extend([0x000C] * 4)
    with pytest.raises(ReaderError, match="Charge controller and a DC-DC charger") as caught:
        await identify(bus)
    assert caught.value.code is ErrorCode.NO_RESPONSE
    bus.lost.extend([0x000C] * 4)
    prober = Prober(TestLink(bus))
    assert await prober.find_all() == []
    await prober.close()
    bus.lost.clear()
