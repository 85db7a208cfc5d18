"""The rules, by value."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.resilience import (
    KNOWN_BLOCK,
    BlockRecord,
    ConnectionStatus,
    Freshness,
    child_deadline,
    connect_timeout,
    parent_deadline,
    retry_delay,
)

ages = st.floats(0, 10_000)


def test_connect_timeout_grows_with_failures() -> None:
    """25 25 25 40 45 45 ..."""
    assert [connect_timeout(n) for n in range(8)] == [25, 25, 25, 40, 45, 45, 45, 45]


@given(st.integers(0, 10**9))
def test_connect_timeout_has_a_cap(failures: int) -> None:
    """It never exceeds 45 s and never shrinks."""
    assert connect_timeout(failures) <= connect_timeout(failures + 1) <= 45


@pytest.mark.parametrize(("manual", "used"), [(5, 5), (60, 60), (33.5, 33.5), (1, 5), (99, 60)])
def test_manual_connect_timeout(manual: float, used: float) -> None:
    """A manual value overrides the automatic one, within 5-60 s."""
    assert connect_timeout(0, manual) == used
    assert connect_timeout(50, manual) == used


def test_retry_delay_doubles() -> None:
    """2 s, then 4 s."""
    assert [retry_delay(attempt) for attempt in (1, 2, 3)] == [2, 4, 8]


def test_deadlines() -> None:
    """Connect timeout, 15 s to read, 5 s to disconnect; the parent waits 3 s longer."""
    assert child_deadline(25) == 45
    assert parent_deadline(25) == 48
    assert parent_deadline(connect_timeout(99)) == 68


def test_no_deadline_exceeds_85_seconds() -> None:
    """Not even with the longest manual timeout."""
    assert parent_deadline(connect_timeout(0, 60)) <= 85


@pytest.mark.parametrize(
    ("age", "failing", "status"),
    [
        (0.0, False, ConnectionStatus.CONNECTED),
        (299.0, False, ConnectionStatus.CONNECTED),
        (600.0, False, ConnectionStatus.CONNECTED),
        (30.0, True, ConnectionStatus.OFFLINE),
        (300.0, True, ConnectionStatus.OFFLINE),
        (300.1, True, ConnectionStatus.DISCONNECTED),
        (600.0, True, ConnectionStatus.DISCONNECTED),
        (600.1, True, ConnectionStatus.LOST),
        (None, True, ConnectionStatus.LOST),
        (None, False, ConnectionStatus.LOST),
        (601.0, False, ConnectionStatus.LOST),
    ],
)
def test_status(age: float | None, failing: bool, status: ConnectionStatus) -> None:
    """The status by the age of the last fresh reading."""
    assert Freshness().status(age, failing=failing) is status


def test_status_of_a_virtual_device() -> None:
    """It says that it is a test as long as it works."""
    assert Freshness().status(1, failing=False, virtual=True) is ConnectionStatus.TEST_MODE
    assert Freshness().status(1, failing=True, virtual=True) is ConnectionStatus.OFFLINE


@pytest.mark.parametrize(
    ("age", "serves", "available"),
    [
        (0, True, True),
        (300, True, True),
        (301, False, True),
        (600, False, True),
        (601, False, False),
    ],
)
def test_cache_and_grace(age: float, serves: bool, available: bool) -> None:
    """The cache ends after 300 s, the grace after 600 s."""
    assert Freshness().serves(age) is serves
    assert Freshness().available(age) is available


def test_nothing_serves_before_the_first_reading() -> None:
    """No reading, no value."""
    assert not Freshness().serves(None)
    assert not Freshness().available(None)


def test_grace_must_not_end_before_the_cache() -> None:
    """The rule itself refuses it."""
    assert Freshness(cache=60, grace=60).grace == 60
    with pytest.raises(ValueError, match="grace"):
        Freshness(cache=61, grace=60)


@given(ages, ages, ages)
def test_ageing_alone_changes_only_when_announced(cache: float, more: float, age: float) -> None:
    """Until the announced moment nothing changes; just past it something has; in the end nothing is shown."""
    rule = Freshness(cache=cache, grace=cache + more)
    now = (rule.serves(age), rule.available(age))
    change = rule.next_change(age)
    if change is None:
        assert now == (False, False)
        return
    assert (rule.serves(age + change * 0.5), rule.available(age + change * 0.5)) in {
        now,
        (False, now[1]),
        (False, False),
    }
    assert (rule.serves(age + change), rule.available(age + change)) != now


@given(ages, st.lists(ages, min_size=2, max_size=20))
def test_availability_never_comes_back_by_ageing(cache: float, moments: list[float]) -> None:
    """Within one outage entities become unavailable once at most."""
    rule = Freshness(cache=cache, grace=cache + 1)
    seen = [rule.available(age) for age in sorted(moments)]
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("refused", [True, False])
def test_block_rests_after_three_misses(refused: bool) -> None:
    """Three misses in a row bring an hour's rest; an answer wipes the slate."""
    record = BlockRecord()
    for _ in range(2):
        record = record.after_miss(100.0, refused=refused)
        assert record.due(100.0)
    record = record.after_miss(100.0, refused=refused)
    assert not record.due(3699.9)
    assert record.due(3700.0)
    assert record.after_answer().due(0.0)
    assert BlockRecord().due(0.0)


def test_block_that_the_device_has_never_rests_for_silence() -> None:
    """On a weak link an answered block may be missing often: that says nothing about the block."""
    record = BlockRecord().after_answer()
    for _ in range(10):
        record = record.after_miss(100.0, refused=False)
    assert record.due(100.0)
    for _ in range(3):
        record = record.after_miss(100.0, refused=True)
    assert not record.due(100.0)


def test_known_block_is_not_asked_for_again() -> None:
    """Identity is read once."""
    assert not KNOWN_BLOCK.due(1e12)
