"""What waits to be published: order, limits, and what is dropped."""

from blupow_bridge.mqtt.outbox import LONGEST_WAIT, MOST_WAITING, Outbox, Outgoing
from hypothesis import given, strategies as st


def event(number: int, at: float = 0.0) -> Outgoing:
    """Return a message of which each counts."""
    return Outgoing(topic="event", payload=str(number), at=at)


def state(topic: str, number: int, at: float = 0.0) -> Outgoing:
    """Return a message of which the newest counts."""
    return Outgoing(topic=topic, payload=str(number), retain=True, at=at)


def test_order_is_kept() -> None:
    """Also of what was not acknowledged."""
    outbox = Outbox()
    for number in range(5):
        outbox.put(event(number))
    first = outbox.take(2, 0.0)
    assert [item.payload for item in first] == ["0", "1"]
    outbox.put_back(first)
    assert [item.payload for item in outbox.take(9, 0.0)] == ["0", "1", "2", "3", "4"]
    assert len(outbox) == 0


def test_states_give_way_to_newer_ones() -> None:
    """A state that was not acknowledged too."""
    outbox = Outbox()
    outbox.put(state("a", 1))
    outbox.put(event(2))
    outbox.put(state("b", 3))
    outbox.put(state("a", 4))
    taken = outbox.take(9, 0.0)
    assert [item.payload for item in taken] == ["2", "3", "4"]
    outbox.put(state("a", 5))
    outbox.put_back(taken)
    assert [item.payload for item in outbox.take(9, 0.0)] == ["2", "3", "5"]


def test_age() -> None:
    """What has waited longer than 300 s is dropped, and counted."""
    outbox = Outbox()
    for number in range(3):
        outbox.put(event(number, at=float(number)))
    assert [item.payload for item in outbox.take(9, LONGEST_WAIT + 1)] == ["1", "2"]
    assert outbox.expired == 1


def test_limit() -> None:
    """The oldest ones are dropped, and counted; what comes back is no exception."""
    outbox = Outbox()
    for number in range(MOST_WAITING + 3):
        outbox.put(event(number))
    assert (len(outbox), outbox.full) == (MOST_WAITING, 3)
    taken = outbox.take(5, 0.0)
    assert taken[0].payload == "3"
    for number in range(5):
        outbox.put(event(1000 + number))
    outbox.put_back(taken)
    assert (len(outbox), outbox.full) == (MOST_WAITING, 8)
    assert outbox.take(1, 0.0)[0].payload == "8"


def test_states_are_dropped_before_all_are_published_anew() -> None:
    """Events are not."""
    outbox = Outbox()
    outbox.put(state("a", 1))
    outbox.put(event(2))
    outbox.put(state("b", 3))
    outbox.drop_states({"a", "event"})
    assert [item.payload for item in outbox.take(9, 0.0)] == ["2", "3"]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 3)),
        st.tuples(st.just("state"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.floats(0, 400)),
        st.tuples(st.just("sent"), st.integers(1, 30)),
        st.tuples(st.just("lost"), st.integers(1, 30)),
    ),
    max_size=300,
)


@given(steps)
def test_any_sequence(actions: list[tuple[str, float]]) -> None:
    """What is sent is in order, no older than 300 s, and of each state never older than before."""
    outbox, now, number = Outbox(), 0.0, 0
    sent: list[Outgoing] = []
    added = 0
    for action, value in actions:
        match action:
            case "event":
                number += 1
                outbox.put(Outgoing(topic=f"e{value}", payload=f"{number:06}", at=now))
                added += 1
            case "state":
                number += 1
                outbox.put(state(f"s{value}", number, now))
            case "wait":
                now += value
            case "sent":
                taken = outbox.take(int(value), now)
                assert all(now - item.at <= LONGEST_WAIT for item in taken)
                sent += taken
            case "lost":
                outbox.put_back(outbox.take(int(value), now))
        assert len(outbox) <= MOST_WAITING
        assert len({item.topic for item in outbox.take(0, now)}) == 0
    numbers = [int(item.payload) for item in sent]
    assert numbers == sorted(numbers)
    events = sum(not item.retain for item in sent)
    assert events <= added
