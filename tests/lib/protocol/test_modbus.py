"""Frames: built, collected from fragments, checked, refused."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.protocol.modbus import (
    LONGEST_REPLY,
    MAX_WORDS,
    PATIENCE,
    Flaw,
    FrameError,
    ReadRequest,
    Reply,
    ReplyCollector,
    WriteRequest,
    crc16,
    is_sealed,
    parse_reply,
    seal,
    whole_frames,
)

from ...helpers.frames import (
    BROKEN,
    ECHOES,
    EXCEPTION_2,
    EXCEPTIONS,
    MODBUS_CAPTURES,
    REQUESTS,
    RIV4835_BATTERY,
    RIV4835_LIVE,
    Capture,
)

LIVE = bytes.fromhex(RIV4835_LIVE.frame)
LIVE_REQUEST = ReadRequest(32, 4000, 10)
LIVE_WORDS = (1135, 1700, 1131, 30, 6001, 512, 551, 0, 0, 6001)

words = st.integers(0, 0xFFFF)


def reply_frame(unit: int, values: list[int]) -> bytes:
    """Return a read reply as a device sends it."""
    data = b"".join(value.to_bytes(2, "big") for value in values)
    return seal(bytes((unit, 3, len(data))) + data)


def test_crc_of_the_standard_check_string() -> None:
    """The published check value of CRC-16/MODBUS is 0x4B37."""
    assert crc16(b"123456789") == 0x4B37


@pytest.mark.parametrize(("frame", "request_"), REQUESTS.items(), ids=REQUESTS.keys())
def test_requests(frame: str, request_: ReadRequest | WriteRequest) -> None:
    """The requests that the documents print, and those captured from the vendor's app."""
    assert request_.encode().hex() == frame


@pytest.mark.parametrize("arguments", [(0, 4000, 1), (256, 4000, 1), (1, 4000, 0), (1, 4000, 126)])
def test_read_request_refuses_nonsense(arguments: tuple[int, int, int]) -> None:
    """What the protocol cannot express is refused."""
    with pytest.raises(ValueError, match=r"unit|registers"):
        ReadRequest(*arguments)


def test_read_request_refuses_to_pass_the_last_register() -> None:
    """Register 65535 is the last."""
    assert ReadRequest(1, 0xFFFF, 1).start == 0xFFFF
    with pytest.raises(ValueError, match="registers"):
        ReadRequest(1, 0xFFFF, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 1, (1,)),
        (256, 1, (1,)),
        (1, 65536, (1,)),
        (1, 1, (65536,)),
        (1, 1, (1, -1)),
        (1, -1, (1,)),
        (1, 1, ()),
        (1, 65535, (1, 2)),
        (1, 1, (0,) * 126),
    ],
)
def test_write_request_refuses_nonsense(arguments: tuple[int, int, tuple[int, ...]]) -> None:
    """What the protocol cannot express is refused."""
    with pytest.raises(ValueError, match=r"unit|written"):
        WriteRequest(*arguments)


@pytest.mark.parametrize("capture", MODBUS_CAPTURES, ids=lambda capture: str(capture.start))
@pytest.mark.parametrize("size", [1, 20, 250])
def test_captures_are_collected_from_fragments(capture: Capture, size: int) -> None:
    """A reply is complete with its last fragment, and not before."""
    frame = bytes.fromhex(capture.frame)
    collector = ReplyCollector(ReadRequest(frame[0], capture.start, frame[2] // 2))
    *first, last = [frame[i : i + size] for i in range(0, len(frame), size)]
    assert [collector.feed(fragment) for fragment in first] == [None] * len(first)
    reply = collector.feed(last)
    assert reply is not None
    assert reply.unit_id == frame[0]
    assert len(reply.words) == frame[2] // 2


def test_words_of_a_capture() -> None:
    """Words are big-endian."""
    assert ReplyCollector(LIVE_REQUEST).feed(LIVE) == Reply(32, LIVE_WORDS)


def test_exception_is_an_answer() -> None:
    """An exception frame carries its code."""
    reply = ReplyCollector(ReadRequest(32, 0xE20D, 1)).feed(bytes.fromhex(EXCEPTION_2))
    assert reply == Reply(32, exception=2)


@pytest.mark.parametrize(("frame", "request_"), ECHOES.items(), ids=ECHOES.keys())
def test_echoes_of_writes(frame: str, request_: WriteRequest) -> None:
    """Real devices echo another register: the echo only says that something was taken."""
    assert ReplyCollector(request_).feed(bytes.fromhex(frame)) == Reply(1)


def test_stale_frame_before_the_right_one() -> None:
    """A late reply of another length in the same buffer is passed over."""
    collector = ReplyCollector(LIVE_REQUEST)
    assert collector.feed(bytes.fromhex(RIV4835_BATTERY.frame)) is None
    assert collector.feed(LIVE) == Reply(32, LIVE_WORDS)


def test_cut_off_reply_before_the_right_one() -> None:
    """The beginning of a reply whose end was lost does not hide the next one."""
    collector = ReplyCollector(LIVE_REQUEST)
    assert collector.feed(LIVE[:20]) is None
    assert collector.feed(LIVE) == Reply(32, LIVE_WORDS)


@pytest.mark.parametrize(
    ("sent", "flaw", "other_unit"),
    [
        (b"", Flaw.NOTHING, None),
        (LIVE[:-1] + b"\0", Flaw.DAMAGED, None),
        (LIVE[:-4], Flaw.DAMAGED, None),
        (reply_frame(48, [0] * 10), Flaw.WRONG_UNIT, 48),
        (reply_frame(32, [0] * 9), Flaw.ANOTHER, None),
        (seal(LIVE[:1] + b"\x04" + LIVE[2:-2]), Flaw.ANOTHER, None),
    ],
    ids=["silence", "checksum", "cut off", "other unit", "other length", "other function"],
)
def test_what_is_no_reply(sent: bytes, flaw: Flaw, other_unit: int | None) -> None:
    """Unit, function, byte count and checksum must all match."""
    collector = ReplyCollector(LIVE_REQUEST)
    assert collector.feed(sent) is None
    assert collector.flaw is flaw
    assert collector.other_unit_id == other_unit


@given(st.lists(words, min_size=1, max_size=40), st.binary(max_size=60), st.integers(1, 30))
def test_reply_is_found_behind_any_bytes(values: list[int], noise: bytes, size: int) -> None:
    """Whatever comes before, the reply is found and is the right one."""
    request = ReadRequest(32, 4000, len(values))
    stream = noise + reply_frame(32, values)
    collector = ReplyCollector(request)
    found = None
    for start in range(0, len(stream), size):
        found = found or collector.feed(stream[start : start + size])
    assert found == Reply(32, tuple(values))


@given(st.lists(words, min_size=1, max_size=40), st.data())
def test_damaged_reply_is_never_taken(values: list[int], data: st.DataObject) -> None:
    """A frame with one changed byte is no reply."""
    frame = bytearray(reply_frame(32, values))
    position = data.draw(st.integers(0, len(frame) - 1))
    frame[position] ^= data.draw(st.integers(1, 255))
    assert ReplyCollector(ReadRequest(32, 4000, len(values))).feed(bytes(frame)) is None


@pytest.mark.parametrize("capture", MODBUS_CAPTURES, ids=lambda capture: str(capture.start))
def test_parse_reply(capture: Capture) -> None:
    """Captured frames are valid replies."""
    assert len(parse_reply(bytes.fromhex(capture.frame)).words) == len(capture.frame) // 4 - 2


@pytest.mark.parametrize("frame", EXCEPTIONS)
def test_parse_exception(frame: str) -> None:
    """An exception is parsed, not refused."""
    unit = bytes.fromhex(frame)[0]
    assert parse_reply(bytes.fromhex(frame)) == Reply(unit, exception=2)


def test_one_word_is_no_reply_to_a_request_for_two() -> None:
    """The ROVER document prints such an answer."""
    frame = bytes.fromhex("0103020064b9af")
    assert ReplyCollector(ReadRequest(1, 0x0100, 2)).feed(frame) is None
    assert ReplyCollector(ReadRequest(1, 0x0100, 1)).feed(frame) == Reply(1, (100,))


@pytest.mark.parametrize("frame", BROKEN.values(), ids=BROKEN.keys())
def test_broken_frames_are_refused(frame: str) -> None:
    """Frames that only look like replies are refused, with a reason."""
    with pytest.raises(FrameError, match=r"bytes|checksum|function|count"):
        parse_reply(bytes.fromhex(frame))


def test_flood_is_given_up() -> None:
    """What looks like the beginning of a reply, over and over: each byte is looked at once, then it ends."""
    collector = ReplyCollector(LIVE_REQUEST)
    fed = 0
    while not collector.flooded:
        assert collector.feed(bytes.fromhex("200314") * 7) is None
        fed += 21
    assert fed <= PATIENCE * LONGEST_REPLY + 21
    assert collector.flaw is Flaw.DAMAGED


def test_reply_behind_a_hundred_false_beginnings() -> None:
    """The reply is found all the same."""
    collector = ReplyCollector(LIVE_REQUEST)
    assert collector.feed(bytes.fromhex("200314") * 100) is None
    assert collector.feed(LIVE) == Reply(32, LIVE_WORDS)


@given(
    st.lists(st.one_of(st.binary(max_size=30), st.just(LIVE), st.just(LIVE[:9])), max_size=12),
    st.integers(1, 40),
)
def test_collector_finds_what_a_search_of_all_bytes_finds(pieces: list[bytes], size: int) -> None:
    """Looking at each offset once finds the same reply, in whatever fragments it comes."""
    stream = b"".join(pieces)
    collector = ReplyCollector(LIVE_REQUEST)
    found = None
    for start in range(0, len(stream), size):
        if found := collector.feed(stream[start : start + size]):
            break
    assert (found is not None) is (LIVE in stream)


def test_frames_beside_the_reply() -> None:
    """Those that nobody has asked for can be recognized."""
    other = reply_frame(32, [7] * 9)
    collector = ReplyCollector(LIVE_REQUEST)
    assert collector.feed(b"\0" + other + LIVE) is not None
    assert collector.strays() == [other]
    assert whole_frames(LIVE + b"\x20" + bytes.fromhex(EXCEPTION_2) + other[:-1]) == [
        LIVE,
        bytes.fromhex(EXCEPTION_2),
    ]


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ReadRequest, (1, 0, 1)),
        (ReadRequest, (255, 0, MAX_WORDS)),
        (ReadRequest, (255, 0x10000 - MAX_WORDS, MAX_WORDS)),
        (WriteRequest, (1, 0, (0,))),
        (WriteRequest, (255, 0xFFFF, (0xFFFF,))),
        (WriteRequest, (255, 0x10000 - MAX_WORDS, (0xFFFF,) * MAX_WORDS)),
    ],
)
def test_limits_can_be_asked_for(
    kind: type[ReadRequest | WriteRequest], arguments: tuple[int, int, int | tuple[int, ...]]
) -> None:
    """The first and the last unit ID, register, and value are valid."""
    frame = kind(*arguments).encode()
    assert is_sealed(frame)
    assert frame[0] == arguments[0]


def test_errors_of_captured_frames_name_what_is_wrong() -> None:
    """The function, and both checksums."""
    with pytest.raises(FrameError, match="function 0x07 is not"):
        parse_reply(seal(bytes((32, 7, 2, 0, 0))))
    damaged = LIVE[:-2] + b"\x12\x34"
    with pytest.raises(FrameError, match=f"checksum is 1234, should be {LIVE[-2:].hex()}"):
        parse_reply(damaged)


@pytest.mark.parametrize("noise", [b"\x00", b"\x20\x03", b"\x20\x03\x14", b"\x20\x83\x02\x00\x00"])
def test_reply_after_noise_of_each_length(noise: bytes) -> None:
    """The search moves on byte by byte: also a header that turns out to be none costs no reply."""
    collector = ReplyCollector(LIVE_REQUEST)
    reply = collector.feed(noise + LIVE)
    assert reply is not None
    assert reply.words == LIVE_WORDS
    assert collector.reply == LIVE


def test_replies_of_two_other_units_before_the_own() -> None:
    """Each is passed over as a whole; they are strays, the own one is not."""
    others = [reply_frame(unit, list(LIVE_WORDS)) for unit in (33, 34)]
    collector = ReplyCollector(LIVE_REQUEST)
    assert collector.feed(others[0]) is None
    assert collector.feed(others[1]) is None
    assert collector.other_unit_id == 34
    reply = collector.feed(LIVE)
    assert reply is not None
    assert reply.words == LIVE_WORDS
    assert collector.strays() == others


def test_whole_frames_of_all_kinds() -> None:
    """A read's, an exception's at the very end, and an echo of a write, with noise between them."""
    exception, echo = seal(bytes((32, 0x83, 2))), seal(bytes((32, 6, 0, 1, 0, 2)))
    assert whole_frames(LIVE + b"\x01" + echo + b"\x02\x03" + exception) == [LIVE, echo, exception]
    assert whole_frames(exception) == [exception]


@pytest.mark.parametrize("count", [0, 3])
def test_byte_count_that_is_not_whole_registers(count: int) -> None:
    """The error names the byte count."""
    with pytest.raises(FrameError, match=f"byte count {count} is not"):
        parse_reply(seal(bytes((32, 3, count, *range(7, 7 + count)))))


def test_checksum_alone_is_no_frame() -> None:
    """The CRC of nothing holds, but says nothing."""
    assert not is_sealed(seal(b""))


def test_unit_whose_id_looks_like_an_exception() -> None:
    """A byte of noise before it makes its header look like another one, which is none."""
    unit_id = 0x83
    frame = seal(bytes((unit_id, 3, 4, 1, 2, 3, 4)))
    reply = ReplyCollector(ReadRequest(unit_id, 1, 2)).feed(b"\x83" + frame)
    assert reply is not None
    assert reply.words == (0x0102, 0x0304)


def test_echo_of_another_kind_of_write() -> None:
    """The echo of one register is none of several, nor the other way round."""
    single, several = WriteRequest(1, 4, (5,)), WriteRequest(1, 4, (5, 6))
    for request_, function in ((single, 0x10), (several, 0x06)):
        echo = seal(bytes((1, function, 0, 4, 0, 5)))
        assert ReplyCollector(request_).feed(echo) is None
    assert ReplyCollector(several).feed(seal(bytes((1, 0x10, 0, 4, 0, 2)))) == Reply(1)
