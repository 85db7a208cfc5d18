"""Sessions: real requests and replies, on virtual devices that misbehave."""

import asyncio
from types import SimpleNamespace
from typing import override

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.service import BleakGATTServiceCollection
from bleak.exc import BleakError
import pytest

from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.profiles.shunt import FRAME
from custom_components.blupow.lib.blupow_ble.protocol import session as session_module
from custom_components.blupow.lib.blupow_ble.protocol.characteristics import find_characteristics
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.protocol.modbus import WriteRequest, seal
from custom_components.blupow.lib.blupow_ble.protocol.push import parse_push
from custom_components.blupow.lib.blupow_ble.protocol.session import Session, open_session
from custom_components.blupow.lib.blupow_ble.virtual import virtual_device
from custom_components.blupow.lib.blupow_ble.virtual.device import Module, VirtualShunt
from custom_components.blupow.lib.blupow_ble.virtual.inverter import inverter_registers
from custom_components.blupow.lib.blupow_ble.virtual.shunt import shunt_frame

from ...helpers.devices import LIVE, NOW, Misbehaving, TestLink, exception, silence, times

BLOCK = next(block for block in INVERTER.blocks if block.key == "live")
WORDS = tuple(inverter_registers(NOW)[register] for register in BLOCK.registers)
SHORT = 0.05


async def start(device: Misbehaving, unit: int = 32) -> tuple[Session, TestLink]:
    """Return a started session."""
    link = TestLink(device)
    session = Session(await link.connect(), link.disconnected, unit)
    await session.start()
    return session, link


async def test_reads_a_block() -> None:
    """The words are those of the device."""
    session, _ = await start(Misbehaving())
    assert await session.read(BLOCK) == WORDS


@pytest.mark.parametrize(
    "twist",
    [
        silence(4000),
        lambda _, reply: reply[:-1] + b"\0",
        lambda _, reply: reply[:-3],
        lambda _, reply: seal(b"\x30" + reply[1:-2]),
        exception(5),
        exception(6),
    ],
    ids=["silence", "checksum", "cut off", "other unit", "busy", "busy frame"],
)
async def test_one_fault_is_survived(twist) -> None:
    """One retry per request: the second answer counts."""
    device = Misbehaving(twist=times(1, twist))
    session, _ = await start(device)
    assert await session.read(BLOCK, SHORT) == WORDS
    assert device.asked == [4000, 4000]


@pytest.mark.parametrize(
    ("twist", "code", "text"),
    [
        (silence(4000), ErrorCode.NO_RESPONSE, "unit 32 did not answer within 0.05 s"),
        (
            lambda _, reply: reply[:-1] + b"\0",
            ErrorCode.BAD_FRAME,
            "what the device sent is damaged: wrong length or checksum",
        ),
        (
            lambda _, reply: seal(b"\x30" + reply[1:-2]),
            ErrorCode.WRONG_UNIT,
            "unit 48 answered instead of unit 32",
        ),
        (
            exception(5),
            ErrorCode.MODBUS_EXCEPTION,
            "the device refused with exception 5 (the device is busy or found a bad checksum)",
        ),
        (
            exception(99),
            ErrorCode.MODBUS_EXCEPTION,
            "the device refused with exception 99 (unknown)",
        ),
    ],
)
async def test_two_faults_are_an_error(twist, code: ErrorCode, text: str) -> None:
    """The cause is reported by its code and in words."""
    device = Misbehaving(twist=twist)
    session, _ = await start(device)
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK, SHORT)
    assert caught.value.code is code
    assert caught.value.stage is Stage.READ
    assert caught.value.message == text


async def test_refusal_is_not_asked_again() -> None:
    """A device that knows no such register will not know it a second later."""
    device = Misbehaving(twist=exception(2))
    session, _ = await start(device)
    with pytest.raises(ReaderError, match="no such register"):
        await session.read(BLOCK)
    assert device.asked == [4000]


async def test_a_dropped_link_ends_the_wait_at_once() -> None:
    """Nothing is awaited from a link that is gone, and nothing is asked again."""
    device = Misbehaving()
    session, link = await start(device)
    link.drop_at = 4000
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK, 3600)
    assert caught.value.code is ErrorCode.CONNECT_FAILED
    assert caught.value.message == "the link dropped while an answer was awaited"
    assert device.asked == []


async def test_a_link_that_has_dropped_is_not_written_to() -> None:
    """Home Assistant's client has nothing to write with any more, once its proxy is gone."""
    link = TestLink(Misbehaving())
    session = Session(await link.connect(), link.disconnected, 32)
    await session.start()
    link.write_error = AttributeError("'NoneType' object has no attribute 'write_gatt_char'")
    link.disconnected.set()
    with pytest.raises(ReaderError) as caught:
        await session.ask(LIVE)
    assert caught.value.code is ErrorCode.CONNECT_FAILED
    assert caught.value.stage is Stage.READ
    assert caught.value.message == "the link failed (the link has dropped)"


async def test_a_link_that_drops_while_draining() -> None:
    """A drop shows in the pause before the second try, too."""
    session, link = await start(Misbehaving(twist=silence(4000)))
    asyncio.get_running_loop().call_later(SHORT * 1.5, link.disconnected.set)
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK, SHORT)
    assert caught.value.code is ErrorCode.CONNECT_FAILED


async def test_late_reply_is_thrown_away() -> None:
    """What arrives before the first request, or while draining, is no answer to the next one."""
    device = Misbehaving()
    session, link = await start(device)
    stale = seal(b"\x20\x03\x14" + bytes(20))
    session._on_notify(None, bytearray(stale))
    assert await session.read(BLOCK) == WORDS

    device.twist = times(1, silence(4000))
    loop = asyncio.get_running_loop()
    loop.call_later(SHORT * 1.2, session._on_notify, None, bytearray(stale))
    assert await session.read(BLOCK, SHORT) == WORDS
    await link.disconnect()


BATTERY = next(block for block in INVERTER.blocks if block.key == "battery")


async def test_late_reply_is_told_apart_from_a_damaged_one() -> None:
    """Whole, with a good checksum, and to an earlier request."""
    device = Misbehaving(twist=silence(4000, 4327))
    session, _ = await start(device)
    with pytest.raises(ReaderError):
        await session.read(BLOCK, SHORT, tries=1)
    late = seal(b"\x20\x03\x14" + bytes(20))
    asyncio.get_running_loop().call_later(SHORT / 2, session._on_notify, None, bytearray(late))
    with pytest.raises(ReaderError, match="answers late") as caught:
        await session.read(BATTERY, SHORT, tries=1)
    assert caught.value.code is ErrorCode.NO_RESPONSE


@pytest.mark.parametrize(
    "twist",
    [
        lambda _, reply: seal(reply[:1] + b"\x04" + reply[2:-2]),
        lambda _, reply: seal(reply[:2] + b"\x12" + reply[3:-4]),
    ],
    ids=["function", "length"],
)
async def test_whole_answer_to_something_else(twist) -> None:
    """It is not called damaged."""
    session, _ = await start(Misbehaving(twist=twist))
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK, SHORT)
    assert caught.value.code is ErrorCode.BAD_FRAME
    assert caught.value.message == (
        "what the device sent is whole, but does not answer what was asked: "
        "another function or length"
    )


async def test_answer_that_nobody_has_asked_for() -> None:
    """Somebody else asks the device: its answers could be taken for ours."""
    session, link = await start(Misbehaving())
    assert await session.read(BLOCK) == WORDS
    session._on_notify(None, bytearray(seal(b"\x20\x03\x14" + bytes(20))))
    with pytest.raises(ReaderError) as caught:
        await session.read(BATTERY)
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
    assert caught.value.message == (
        "the device has answered somebody else: another program is connected to it too"
    )
    await link.disconnect()


async def test_answer_of_somebody_else_beside_ours() -> None:
    """Also where both come in the same moment."""
    other = seal(b"\x20\x03\x12" + bytes(18))
    session, link = await start(Misbehaving())
    assert await session.read(BLOCK) == WORDS
    session.client._device.twist = lambda _, reply: other + reply
    with pytest.raises(ReaderError) as caught:
        await session.read(BATTERY)
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
    await link.disconnect()


@pytest.mark.parametrize("unit", [48, 32])
async def test_answers_that_harm_nobody(unit: int) -> None:
    """Another unit's, and a copy of one that was ours, are passed over."""
    session, link = await start(Misbehaving())
    assert await session.read(BLOCK) == WORDS
    (copy,) = session._replies
    stray = copy if unit == 32 else seal(b"\x30\x03\x14" + bytes(20))
    session._on_notify(None, bytearray(stray))
    assert len(await session.read(BATTERY)) == BATTERY.words
    await link.disconnect()


async def test_flood_ends_the_request() -> None:
    """A device that never stops, with what looks like the beginning of a reply: nothing hangs."""
    session, link = await start(Misbehaving(twist=lambda _, reply: reply[:3] * 2000))
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK, 3600)
    assert caught.value.code is ErrorCode.BAD_FRAME
    await link.disconnect()


async def test_flood_leaves_others_their_time() -> None:
    """However many fragments wait: each is a turn of the loop."""
    session, link = await start(Misbehaving(twist=silence(4000)))
    for _ in range(5000):
        session._on_notify(None, bytearray(b"\x20\x03\x14"))
    assert session._fragments.qsize() == session_module.MOST_FRAGMENTS
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await session.drain()
    task.cancel()
    assert turns >= session_module.MOST_FRAGMENTS
    await link.disconnect()


async def test_draining_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that never stops talking does not hold the reading up for ever."""
    monkeypatch.setattr(session_module, "DRAIN_LIMIT", 0.02)
    session, _ = await start(Misbehaving(twist=times(1, silence(4000))))
    loop = asyncio.get_running_loop()
    chatter = True

    def talk() -> None:
        if chatter:
            session._on_notify(None, bytearray(b"\xaa"))
            loop.call_later(0.001, talk)

    talk()
    reading = asyncio.ensure_future(session.read(BLOCK, SHORT))
    assert await reading == WORDS
    chatter = False


async def test_draining_ends_with_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is waited for then."""
    monkeypatch.setattr(session_module, "DRAIN_LIMIT", 3600)
    monkeypatch.setattr(session_module, "DRAIN_QUIET", 0.01)
    session, _ = await start(Misbehaving(twist=times(1, silence(4000))))
    assert await session.read(BLOCK, SHORT) == WORDS


@pytest.mark.parametrize("error", [BleakError("gone"), OSError("pipe"), EOFError()])
async def test_client_errors_are_link_errors(error: Exception) -> None:
    """What bleak raises under a request becomes one of the codes."""
    session, link = await start(Misbehaving())
    link.write_error = error
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK)
    assert caught.value.code is ErrorCode.CONNECT_FAILED

    link = TestLink(Misbehaving())
    link.notify_error = error
    session = Session(await link.connect(), link.disconnected, 32)
    with pytest.raises(ReaderError) as caught:
        await session.start()
    assert caught.value.code is ErrorCode.CONNECT_FAILED
    assert caught.value.stage is Stage.SERVICES


async def test_write_and_read_back() -> None:
    """A write is echoed; the register then holds the value."""
    session, _ = await start(Misbehaving())
    echo = await session.write(WriteRequest(32, 4000, (77,)))
    assert echo.words == ()
    assert (await session.read(BLOCK))[0] == 77


async def test_write_without_an_echo() -> None:
    """Nobody knows what has become of it: it is reported as unanswered, not as done."""
    session, _ = await start(Misbehaving(twist=lambda _, __: None))
    with pytest.raises(ReaderError) as caught:
        await session.write(WriteRequest(32, 4000, (77,)), SHORT)
    assert caught.value.code is ErrorCode.NO_RESPONSE


async def test_link_that_drops_before_the_services_are_looked_at() -> None:
    """Bleak then has none, and raises."""

    class Dropped(TestLink):
        @property
        def services(self):
            raise BleakError("Service Discovery has not been performed yet")

        @services.setter
        def services(self, _: object) -> None:
            pass

    link = Dropped(Misbehaving())
    with pytest.raises(ReaderError) as caught:
        await Session(await link.connect(), link.disconnected, 32).start()
    assert caught.value.code is ErrorCode.CONNECT_FAILED


def characteristic(service: str, uuid: str, *properties: str) -> SimpleNamespace:
    """Return what the search looks at."""
    return SimpleNamespace(service=service, uuid=uuid, properties=list(properties))


def services(*characteristics: SimpleNamespace) -> list[SimpleNamespace]:
    """Return services with these characteristics."""
    base = "0000{}-0000-1000-8000-00805f9b34fb"
    return [
        SimpleNamespace(
            uuid=base.format(item.service),
            characteristics=[
                SimpleNamespace(uuid=base.format(item.uuid), properties=item.properties)
            ],
        )
        for item in characteristics
    ]


WRITE = characteristic("ffd0", "ffd1", "write", "write-without-response")
NOTIFY = characteristic("fff0", "fff1", "notify")


def test_characteristics_are_found_inside_their_service() -> None:
    """Some batteries repeat both UUIDs in both services: only the right service counts."""
    swapped = (characteristic("fff0", "ffd1", "write"), characteristic("ffd0", "fff1", "notify"))
    layout = services(*swapped, WRITE, NOTIFY)
    found = find_characteristics(layout)
    assert found.write is layout[2].characteristics[0]
    assert found.notify is layout[3].characteristics[0]
    assert not found.with_response


def test_other_notify_characteristic() -> None:
    """Newer modules notify by ffd2; fff1 is preferred where both are."""
    layout = services(WRITE, characteristic("ffd0", "ffd2", "notify"))
    assert find_characteristics(layout).notify is layout[1].characteristics[0]
    layout = services(characteristic("ffd0", "ffd2", "notify"), WRITE, NOTIFY)
    assert find_characteristics(layout).notify is layout[2].characteristics[0]


def test_write_with_response_where_it_must_be() -> None:
    """Only where the characteristic offers nothing else."""
    layout = services(characteristic("ffd0", "ffd1", "write"), NOTIFY)
    assert find_characteristics(layout).with_response


@pytest.mark.parametrize(
    "layout", [(), (WRITE,), (NOTIFY,), (WRITE, characteristic("ffd0", "ffd2", "read"))]
)
def test_missing_service(layout: tuple[SimpleNamespace, ...]) -> None:
    """Another product is reported as such."""
    with pytest.raises(ReaderError) as caught:
        find_characteristics(services(*layout))
    assert caught.value.code is ErrorCode.SERVICE_MISSING


class Forgettable(TestLink):
    """A link whose services are remembered without the vendor's, until they are forgotten."""

    def __init__(self, device: Module | None = None, *, healed_by_asking: bool = True) -> None:
        """Remember nothing of use."""
        super().__init__(device or Misbehaving())
        self._true = self.services if healed_by_asking else BleakGATTServiceCollection()
        self.services = BleakGATTServiceCollection()
        self.forgotten = 0

    @override
    async def forget_services(self) -> bool:
        self.forgotten += 1
        self.services = self._true
        return True


async def test_services_that_were_remembered_incompletely() -> None:
    """They are asked for anew once, over a new connection."""
    link = Forgettable()
    session = await open_session(link, 32)
    assert await session.read(BLOCK) == WORDS
    assert (link.forgotten, link.attempts) == (1, 2)


async def test_services_that_are_missing() -> None:
    """What lacks them after that is another product."""
    link = Forgettable(healed_by_asking=False)
    with pytest.raises(ReaderError) as caught:
        await open_session(link, 32)
    assert caught.value.code is ErrorCode.SERVICE_MISSING
    assert (link.forgotten, link.attempts) == (1, 2)


@pytest.mark.parametrize("stage", [Stage.SERVICES, Stage.READ])
async def test_device_that_asks_for_pairing(stage: Stage) -> None:
    """It is distinguished from a link that fails, and not asked again."""
    link = TestLink(Misbehaving())
    error = BleakError("GATT error 5: Insufficient authentication")
    session = Session(await link.connect(), link.disconnected, 32)
    if stage is Stage.SERVICES:
        link.notify_error = error
    else:
        await session.start()
        link.write_error = error
    with pytest.raises(ReaderError) as caught:
        await (session.start() if stage is Stage.SERVICES else session.read(BLOCK))
    assert (caught.value.code, caught.value.stage) == (ErrorCode.PAIRING_REQUIRED, stage)
    assert caught.value.message == (
        "the device asks for pairing, which no Renogy device known does "
        "(GATT error 5: Insufficient authentication)"
    )


async def test_device_that_floods() -> None:
    """Bytes without end are given up before the time is; nothing of them is taken for an answer."""
    session, _ = await start(Misbehaving(twist=lambda _, __: b"\x20\x03\xff" + bytes(60_000)))
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK, 3600)
    assert caught.value.code is ErrorCode.BAD_FRAME


@pytest.mark.parametrize("kind", [TestLink, Forgettable])
async def test_listens_to_what_is_pushed(kind: type[TestLink]) -> None:
    """Nothing is asked; the words are those of the first whole frame."""
    link = kind(virtual_device("shunt", lambda: NOW))
    session = await open_session(link, 1, FRAME)
    assert await session.listen(FRAME, 3600) == parse_push(FRAME, shunt_frame(NOW))
    assert not session.sent
    await link.disconnect()


@pytest.mark.parametrize(
    ("frame", "code", "text"),
    [
        (b"", ErrorCode.NO_RESPONSE, "the device sent nothing within 0 s"),
        (
            shunt_frame(NOW)[:60],
            ErrorCode.BAD_FRAME,
            "what the device sent is damaged: no frame of it is whole",
        ),
    ],
    ids=["silence", "half"],
)
async def test_nothing_whole_is_pushed(frame: bytes, code: ErrorCode, text: str) -> None:
    """Silence and damage are distinguished."""

    class Broken(VirtualShunt):
        @override
        def frame(self) -> bytes:
            return frame

    link = TestLink(Broken())
    session = await open_session(link, 1, FRAME)
    with pytest.raises(ReaderError) as caught:
        await session.listen(FRAME, SHORT)
    assert (caught.value.code, caught.value.message) == (code, text)
    await link.disconnect()


async def test_what_has_gone_to_the_radio() -> None:
    """It is noted before the write ends: one that fails may have gone out all the same."""
    session, link = await start(Misbehaving())
    assert session.sent is False
    link.write_error = BleakError("gone")
    with pytest.raises(ReaderError):
        await session.read(BLOCK)
    assert session.sent is True


class Recording(TestLink):
    """A link that notes where each request goes."""

    def __init__(self, device: Misbehaving) -> None:
        """Start with none."""
        super().__init__(device)
        self.written: list[tuple[str, bool]] = []

    @override
    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        self.written.append((char_specifier.uuid[4:8], response))
        await super().write_gatt_char(char_specifier, data, response)


async def test_where_requests_go() -> None:
    """To the module's write characteristic, without waiting for its acknowledgment."""
    link = Recording(Misbehaving())
    session = await open_session(link, 32)
    assert session.unit_id == 32
    assert await session.read(BLOCK) == WORDS
    assert link.written == [("ffd1", False)]


async def test_unit_that_answers_every_address() -> None:
    """Asked as 255 it answers under its own: nothing is waited for then, and that one is known."""
    device = Misbehaving(twist=lambda _, reply: seal(b"\x30" + reply[1:-2]))
    session, _ = await start(device, 255)
    with pytest.raises(ReaderError) as caught:
        await session.read(BLOCK, 3600)
    assert caught.value.code is ErrorCode.WRONG_UNIT
    assert session.other_unit_id == 0x30
    assert device.asked == [4000]


async def test_unit_that_is_asked_by_its_own_address_may_still_answer() -> None:
    """Another one's answer before it ends no request."""
    session, link = await start(Misbehaving())
    other = seal(bytes((48, 3, 20)) + bytes(20))
    link._deliver(other, 20)
    link._deliver(other, 20)
    assert await session.read(BLOCK) == WORDS
    assert session.other_unit_id is None


async def test_copy_of_a_reply() -> None:
    """An echo of the radio is nobody else's answer."""
    device = Misbehaving()
    session, link = await start(device)
    await session.read(BLOCK)
    copy = device._read(4000, 10)
    link._deliver(copy, 20)
    await asyncio.sleep(0)
    session.check_strays()


async def test_late_exception_is_ours() -> None:
    """It may answer a request that was given up."""
    session, link = await start(Misbehaving())
    await session.read(BLOCK)
    link._deliver(seal(bytes((32, 0x83, 2))), 20)
    await asyncio.sleep(0)
    session.check_strays()


async def test_late_echo_of_a_write() -> None:
    """After a write it is ours; before one somebody else has written."""
    session, link = await start(Misbehaving())
    await session.read(BLOCK)
    echo = seal(bytes((32, 6, 0x0F, 0xA0, 0, 77)))
    link._deliver(echo, 20)
    await asyncio.sleep(0)
    with pytest.raises(ReaderError) as caught:
        await session.write(WriteRequest(32, 4000, (77,)))
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
    await session.write(WriteRequest(32, 4000, (78,)))
    link._deliver(echo, 20)
    await asyncio.sleep(0)
    session.check_strays()


async def test_somebody_elses_answer_in_fragments() -> None:
    """It is put together before it is judged."""
    session, link = await start(Misbehaving())
    await session.read(BLOCK)
    link._deliver(seal(bytes((32, 3, 60)) + bytes(60)), 20)
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(ReaderError) as caught:
        session.check_strays()
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
