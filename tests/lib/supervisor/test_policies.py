"""The rules, by value."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.reader.timeouts import (
    child_deadline,
    connect_timeout,
    parent_deadline,
    retry_delay,
)
from custom_components.blupow.lib.blupow_ble.supervisor.policies import (
    KNOWN_BLOCK,
    Availability,
    BlockRecord,
    ConnectionStatus,
    Freshness,
    RecoveryStep,
    ScannerRecord,
    WatchdogRule,
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
    assert parent_deadline(child_deadline(25)) == 48
    assert parent_deadline(child_deadline(connect_timeout(99))) == 68


def test_no_deadline_exceeds_85_seconds() -> None:
    """Not even with the longest manual timeout."""
    assert parent_deadline(child_deadline(connect_timeout(0, 60))) <= 85


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


@pytest.mark.parametrize(
    ("age", "stale"), [(0.0, False), (300.0, False), (300.1, True), (None, True)]
)
def test_stale(age: float | None, stale: bool) -> None:
    """A heartbeat finds a reading stale past 300 s, or when there never was one."""
    assert WatchdogRule().stale(age) is stale


def test_recovery_is_due_after_three_stale_heartbeats_in_a_row() -> None:
    """A fresh one in between begins the count anew."""
    rule, checks = WatchdogRule(), 0
    seen = []
    for age in (301, 421, 10, 301, 421, 541, 661):
        checks = rule.counted(checks, age)
        seen.append(rule.due(checks))
    assert seen == [False, False, False, False, False, True, True]


def test_pauses_between_recoveries() -> None:
    """60 120 240 300 ... s, after the tenth 900 s for ever, whatever the jitter."""
    pauses = [WatchdogRule().pause(failed, 1.0) for failed in range(1, 13)]
    assert pauses == [60, 120, 240, 300, 300, 300, 300, 300, 300, 900, 900, 900]
    assert WatchdogRule().pause(1, 0.8) == 48
    assert WatchdogRule().pause(1, 1.2) == 72
    assert WatchdogRule().pause(1, 5.0) == 72
    assert WatchdogRule().pause(10, 0.8) == 900
    assert not WatchdogRule().given_up(9)
    assert WatchdogRule().given_up(10)


@given(st.integers(1, 10**9), st.integers(1, 100), st.floats(0.8, 1.2), st.floats(0.8, 1.2))
def test_pauses_grow_and_recoveries_never_stop(
    failed: int, limit: int, jitter: float, other: float
) -> None:
    """There always is a next one, within 15 minutes; without jitter no pause is shorter than before."""
    rule = WatchdogRule(limit=limit)
    assert 48 <= rule.pause(failed, jitter) <= 900
    assert rule.pause(failed + 1, 1.0) >= rule.pause(failed, 1.0)
    if not rule.given_up(failed + 1) and failed < 3:
        assert rule.pause(failed + 1, jitter) > rule.pause(failed, other)


HOUR = 3600.0


def test_the_steps_of_a_recovery() -> None:
    """Three steps, the gentlest first."""
    assert (
        list(RecoveryStep)
        == [RecoveryStep.CLOSE_LINK, RecoveryStep.LOOK_AGAIN, RecoveryStep.REDISCOVER]
        == [1, 2, 3]
    )


@pytest.mark.parametrize(
    ("silence", "heard", "pause"),
    [
        (0, True, 30),
        (300, True, 30),
        (300.5, True, 5),
        (600, True, 5),
        (300.5, False, 5),
        (600.5, True, 120),
        (600.5, False, 300),
        (1e6, True, 120),
    ],
)
def test_pace_of_the_polls(silence: float, heard: bool, pause: float) -> None:
    """The interval, a last effort, then slowly: nothing is stretched before the loss."""
    assert Freshness().pause(30, silence, heard=heard) == pause


def test_last_effort_of_a_long_grace() -> None:
    """However long the user has made it, about sixty polls fit."""
    assert Freshness(cache=7200, grace=10_800).pause(3600, 8000, heard=True) == 60
    assert Freshness(cache=300, grace=300).pause(30, 301, heard=True) == 120


def test_availability_of_the_last_day() -> None:
    """The share of the time that is known, 24 hours at most."""
    known = Availability()
    assert known.share(0.0) is None
    known = known.noted(0.0, available=True)
    assert known.share(0.0) is None
    assert known.share(HOUR) == 1
    known = known.noted(HOUR, available=True).noted(2 * HOUR, available=False)
    assert known.share(4 * HOUR) == pytest.approx(0.5)
    known = known.noted(4 * HOUR, available=True)
    assert known.share(8 * HOUR) == pytest.approx(0.75)
    assert known.observed(8 * HOUR) == 8 * HOUR
    assert known.share(24 * HOUR) == pytest.approx(22 / 24)
    assert known.share(27 * HOUR) == pytest.approx(23 / 24)
    assert known.share(28 * HOUR) == 1
    assert known.observed(28 * HOUR) == 24 * HOUR


@given(st.lists(st.tuples(st.floats(1, 50_000), st.booleans()), min_size=1, max_size=40))
def test_availability_is_a_share(looks: list[tuple[float, bool]]) -> None:
    """Always within 0-1, equal to a count of the seconds; what lies before the window is forgotten."""
    known, now, spans = Availability(), 0.0, []
    for seconds, available in looks:
        known = known.noted(now, available=available)
        spans.append((now, now + seconds, available))
        now += seconds
    begin = max(now - 24 * HOUR, 0.0)
    shown = sum(max(end - max(at, begin), 0.0) for at, end, available in spans if available)
    assert known.share(now) == pytest.approx(shown / (now - begin))
    known = known.noted(now, available=True)
    assert sum(at <= now - 24 * HOUR for at, _ in known.changes) <= 1


def test_way_that_fails() -> None:
    """Two failures in a row bring a rest; after it one is enough for one twice as long, 4 h at most."""
    record = ScannerRecord()
    assert not record.on_cooldown(0)
    record = record.after_failure(100)
    assert not record.on_cooldown(100)
    record = record.after_failure(200)
    assert record.on_cooldown(200)
    assert record.on_cooldown(1999.9)
    assert not record.on_cooldown(2000)
    cooldowns = []
    for _ in range(4):
        now = record.cooldown_until
        record = record.after_failure(now)
        cooldowns.append(record.cooldown_until - now)
    assert cooldowns == [3600, 7200, 14400, 14400]


def test_scanner_that_fails_during_its_cooldown() -> None:
    """It was tried for want of another one: its cooldown does not grow."""
    record = ScannerRecord().after_failure(0).after_failure(10)
    until = record.cooldown_until
    for now in range(20, 500, 10):
        record = record.after_failure(now)
    assert record.cooldown_until == until
    assert record.failures == 50


def test_scanner_that_failed_where_another_one_worked() -> None:
    """Once is enough."""
    record = ScannerRecord().after_failure(0).blamed(10)
    assert record.cooldown_until == 1810


def test_scanner_is_forgiven_where_all_fail() -> None:
    """What failed stays known; two more failures bring a cooldown of the usual length."""
    record = ScannerRecord().after_failure(0).after_failure(10).forgiven()
    assert record.failures == 2
    assert not record.on_cooldown(10)
    record = record.after_failure(20)
    assert not record.on_cooldown(20)
    record = record.after_failure(30)
    assert (record.failures, record.cooldown_until) == (4, 1830)


@pytest.mark.parametrize(("age", "change"), [(0, 300.001), (299, 1.001), (301, 299.001)])
def test_seconds_to_the_next_change(age: float, change: float) -> None:
    """Just past the end of the cache, then of the grace."""
    assert Freshness().next_change(age) == pytest.approx(change, abs=1e-6)
    assert Freshness().next_change(600.5) is None
