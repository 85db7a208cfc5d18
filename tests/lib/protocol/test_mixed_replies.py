"""Mixed replies never yield a value: what arrives for one request is never taken for another's.

The cases are drawn at random from fixed seeds, so that a failure can be looked at again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, override

import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Block
from custom_components.blupow.lib.blupow_ble.profiles.decoding import decode
from custom_components.blupow.lib.blupow_ble.profiles.profile import Model, Profile
from custom_components.blupow.lib.blupow_ble.protocol import session
from custom_components.blupow.lib.blupow_ble.protocol.errors import ReaderError
from custom_components.blupow.lib.blupow_ble.protocol.modbus import (
    ReadRequest,
    ReplyCollector,
    seal,
)
from custom_components.blupow.lib.blupow_ble.protocol.push import FrameCollector
from custom_components.blupow.lib.blupow_ble.reader import timed_session as timed_session_module
from custom_components.blupow.lib.blupow_ble.reader.plan import UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.reading import Reader
from custom_components.blupow.lib.blupow_ble.reader.result import UnitReading
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice, virtual_device
from custom_components.blupow.lib.blupow_ble.virtual.link import VirtualLink

from ...helpers.devices import NOW

CASES: Final = 1500
"""For each model: more than 10,000 in all."""
READINGS: Final = 60

MODELS = [
    (profile, model)
    for profile in PROFILES.values()
    if profile.push is None
    for model in profile.models
]
each_model = pytest.mark.parametrize(
    ("profile", "model"), MODELS, ids=[f"{p.key}-{m.key}" for p, m in MODELS]
)


def reply(unit: int, words: list[int]) -> bytes:
    """Return a reply to a read."""
    return seal(bytes((unit, 3, 2 * len(words))) + b"".join(word.to_bytes(2) for word in words))


def interleaving(random: Random, blocks: tuple[Block, ...], block: Block, right: bytes) -> bytes:
    """Return what may arrive for a request: strangers, and the right reply or none."""

    def some_words(count: int) -> list[int]:
        return [random.choice((0, 1, 3, random.getrandbits(16))) for _ in range(count)]

    def stranger() -> bytes:
        other = random.choice([item for item in blocks if item.words != block.words])
        unit = random.choice([item for item in range(1, 248) if item != right[0]])
        kinds: list[Callable[[], bytes]] = [
            lambda: reply(right[0], some_words(other.words)),
            lambda: reply(unit, some_words(block.words)),
            lambda: reply(unit, some_words(other.words)),
            lambda: right[: random.randrange(1, len(right))],
            lambda: right[random.randrange(1, len(right)) :],
            lambda: right[:-1] + bytes((right[-1] ^ 0xFF,)),
            lambda: random.randbytes(random.randrange(1, 40)),
            lambda: seal(bytes((unit, 0x83, 2))),
            lambda: seal(bytes((right[0], 6)) + random.randbytes(4)),
        ]
        return random.choice(kinds)()

    pieces = [stranger() for _ in range(random.randrange(6))]
    if random.random() < 0.7:
        pieces.insert(random.randrange(len(pieces) + 1), right)
    return b"".join(pieces)


@each_model
def test_interleavings_of_frames(profile: Profile, model: Model) -> None:
    """Whatever arrives, in whatever fragments: the words that come out are those of the right reply."""
    random = Random(f"{profile.key} {model.key}")
    blocks = profile.register_map(model).blocks
    found = 0
    for _ in range(CASES):
        block, unit = random.choice(blocks), random.randrange(1, 248)
        words = [random.getrandbits(16) for _ in range(block.words)]
        right = reply(unit, words)
        arriving = interleaving(random, blocks, block, right)
        collector = ReplyCollector(ReadRequest(unit, block.start, block.words))
        got = None
        while arriving and got is None:
            size = random.choice((1, 7, 20, 244))
            got, arriving = collector.feed(arriving[:size]), arriving[size:]
        if got is not None:
            assert (got.unit_id, list(got.words), got.exception) == (unit, words, None)
            found += 1
    assert found > CASES / 2


@dataclass(slots=True)
class Unreliable:
    """A link's other end whose replies are lost, late, doubled, or mixed with those of others."""

    device: VirtualDevice
    random: Random
    late: list[bytes] = field(default_factory=list)

    pushes = False
    overrides: dict[int, int] = field(default_factory=dict)

    def frame(self) -> bytes:
        """Push nothing."""
        return b""

    def answer(self, request: bytes) -> bytes | None:
        """Answer as badly as real radio and real buses do, or worse."""
        before, self.late = b"".join(self.late), []
        right = self.device.answer(request)
        if right is None:
            return before or None
        match self.random.randrange(12):
            case 0:
                return before or None
            case 1:
                self.late.append(right)
                return before or None
            case 2:
                return before + right + right
            case 3:
                return before + seal(bytes((77,)) + right[1:-2]) + right
            case 4:
                return before + right[: self.random.randrange(1, len(right))] + right
            case 5:
                return before + right[:-1]
            case 6:
                return before + self.random.randbytes(self.random.randrange(1, 30)) + right
        return before + right


class FreshLink(VirtualLink):
    """A link that a new connection begins empty: what was late is lost."""

    unreliable: Unreliable

    @override
    async def disconnect(self) -> None:
        self.unreliable.late.clear()
        await super().disconnect()


@pytest.mark.parametrize("kind", ["inverter", "srne", "controller", "dcdc", "battery"])
async def test_readings_over_an_unreliable_link(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value of a reading is the one that the device holds, or it is missing."""
    monkeypatch.setattr(timed_session_module, "REQUEST_TIMEOUT", 0.004)
    monkeypatch.setattr(session, "DRAIN_QUIET", 0.001)
    random = Random(kind)
    device = virtual_device(kind, lambda: NOW)
    assert isinstance(device, VirtualDevice)
    profile = PROFILES["inverter" if kind == "srne" else kind]
    model = profile.model("SRNE") if kind == "srne" else profile.models[0]
    registers = device.registers()
    truth = decode(profile.register_map(model), registers).values
    assert truth
    good = 0
    for _ in range(READINGS):
        unreliable = Unreliable(device, random)
        link = FreshLink(unreliable)
        link.unreliable = unreliable
        reader = Reader(link, [UnitPlan(profile=profile, model=model, unit_id=device.unit_id)])
        try:
            reading: UnitReading = (await reader.read()).main
        except ReaderError:
            continue
        finally:
            await reader.close()
        good += 1
        assert reading.values.items() <= truth.items()
        for start, words in reading.registers.items():
            assert list(words) == [registers[start + i] for i in range(len(words))]
    assert good > READINGS / 2


@pytest.mark.parametrize("size", [20, 55, 110, 244])
def test_interleavings_of_pushed_frames(size: int) -> None:
    """Heard from the middle on, cut off, with others between: no value is put together of two frames."""
    frame = PROFILES["shunt"].push
    assert frame is not None
    random = Random(size)
    shunt = virtual_device("shunt", lambda: NOW + random.randrange(100_000))
    found = 0
    for _ in range(CASES):
        frames = [shunt.frame() for _ in range(4)]
        sent = [one if random.random() < 0.8 else one[: random.randrange(1, 110)] for one in frames]
        if random.random() < 0.3:
            other = bytes.fromhex("4257010b") + random.randbytes(random.randrange(4, 106))
            sent.insert(random.randrange(len(sent)), other)
        stream = b"".join((b"\x61\xd2\0\0" if random.random() < 0.2 else b"") + one for one in sent)
        notifications = [stream[at : at + size] for at in range(0, len(stream), size)]
        collector = FrameCollector(frame)
        for notification in notifications[random.randrange(3) :]:
            if (words := collector.feed(notification)) is not None:
                live = b"".join(word.to_bytes(2) for word in words)[:36]
                assert live in [one[:36] for one in frames]
                found += 1
                break
    assert found > CASES / 2
