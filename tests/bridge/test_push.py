"""What is pushed: in order, numbered, without gaps; a client that is stuck harms nobody."""

from blupow_ble.bridge_messages import MessageType
from blupow_bridge import push
from blupow_bridge.push import KEPT_MESSAGES, MOST_WAITING, PushLog
from hypothesis import given, strategies as st
import pytest


def numbers(log: PushLog, count: int) -> None:
    """Publish messages."""
    for number in range(count):
        log.publish(MessageType.STATE, {"device": "a", "state": {"n": number}})


@given(before=st.integers(0, 40), after=st.integers(0, 40))
def test_resume_leaves_no_gap(before: int, after: int) -> None:
    """Whoever was there until some number gets all that came since, once."""
    log = PushLog()
    numbers(log, before)
    seen = log.sequence
    numbers(log, after)
    missed = log.missed(log.instance, seen)
    assert missed is not None
    assert [message["sequence"] for message in missed] == list(range(seen + 1, seen + after + 1))


def test_resume_that_is_not_possible() -> None:
    """Of another start of the bridge, of a number that is none, or after too long a time."""
    log = PushLog()
    numbers(log, KEPT_MESSAGES + 5)
    assert log.missed("other", 3) is None
    assert log.missed(log.instance, KEPT_MESSAGES + 6) is None
    assert log.missed(log.instance, -1) is None
    assert log.missed(log.instance, 4) is None
    missed = log.missed(log.instance, 5)
    assert missed is not None
    assert len(missed) == KEPT_MESSAGES


def test_missed_readings_are_older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their ages go on while the client is away."""
    now = 100.0
    monkeypatch.setattr(push, "monotonic", lambda: now)
    log = PushLog()
    log.publish(MessageType.READING, {"device": "a", "state": {}, "reading": {"age": 0.5}})
    log.publish(MessageType.FAILURE, {"device": "a", "state": {}, "failure": {"age": 0.0}})
    now = 112.0
    missed = log.missed(log.instance, 0)
    assert missed is not None
    assert [message.get("reading", message.get("failure"))["age"] for message in missed] == [
        12.5,
        12.0,
    ]


async def test_stuck_client_is_dropped() -> None:
    """Another one gets everything, and nothing waits for the stuck one any more."""
    log = PushLog()
    stuck, quick = log.subscribe(), log.subscribe()
    got = []
    for _ in range(MOST_WAITING + 1):
        numbers(log, 1)
        message = await quick.queue.get()
        assert message is not None
        got.append(message.sequence)
    assert got == list(range(1, MOST_WAITING + 2))
    assert stuck.dropped
    assert (await stuck.queue.get(), stuck.queue.empty()) == (None, True)
    assert log.dropped == 1
    assert log.subscribers == {quick}
    numbers(log, 1)
    assert stuck.queue.empty()
    log.close()
    assert (await quick.queue.get(), log.subscribers) == (None, set())


async def test_unsubscribed() -> None:
    """Who is gone gets nothing."""
    log = PushLog()
    subscriber = log.subscribe()
    log.unsubscribe(subscriber)
    numbers(log, 1)
    assert subscriber.queue.empty()
