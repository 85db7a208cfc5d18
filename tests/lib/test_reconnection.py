"""The rules by which a lost connection to a broker comes back."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.supervisor.reconnection import (
    STABLE_SESSION,
    Reconnection,
    Strategy,
)

AUTOMATIC = [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]


def pauses(state: Reconnection, count: int) -> tuple[list[float], Reconnection]:
    """Return the pauses before attempts that all fail."""
    found = []
    for _ in range(count):
        state = state.after_failure()
        found.append(state.next(1.0).pause)
    return found, state


def test_first_attempt_is_at_once() -> None:
    """Nothing has failed yet."""
    assert Reconnection().next(1.0).pause == 0


@pytest.mark.parametrize(
    ("strategy", "recoveries"),
    [
        (Strategy.RETRY, [60, *AUTOMATIC, 60, *AUTOMATIC, 60]),
        (Strategy.NEW_CLIENT, [60] * 30),
        (Strategy.NEW_CREDENTIALS, [60] * 30),
        (Strategy.BACK_OFF, [60, 120, 240, *[300] * 7, *[900] * 20]),
    ],
)
def test_pauses(strategy: Strategy, recoveries: list[float]) -> None:
    """Ten attempts; then recoveries without end: a failed one leads to the next."""
    found, _ = pauses(Reconnection(strategy=strategy), 10 + len(recoveries))
    assert found == AUTOMATIC + recoveries


def test_what_recoveries_do() -> None:
    """Each strategy renews what it is for, and no attempt before it renews anything."""
    for strategy, client, credentials in (
        (Strategy.RETRY, [False] * 6, [False] * 6),
        (Strategy.NEW_CLIENT, [True] * 6, [False] * 6),
        (Strategy.NEW_CREDENTIALS, [True] * 6, [True] * 6),
        (Strategy.BACK_OFF, [True] * 6, [False, False, True] * 2),
    ):
        state = Reconnection(strategy=strategy)
        for number in range(10):
            state = state.after_failure()
            assert not state.failed, number
            attempt = state.next(1.0, credentials_refused=True)
            assert (attempt.new_client, attempt.new_credentials) == (False, False)
        found = []
        for _ in range(6):
            state = state.after_failure()
            assert state.failed
            found.append(state.next(1.0))
        assert [item.new_client for item in found] == client
        assert [item.new_credentials for item in found] == credentials


def test_refused_credentials_are_read_again_by_the_next_recovery() -> None:
    """Under the strategy that reads them at times."""
    _, state = pauses(Reconnection(), 11)
    assert not state.next(1.0).new_credentials
    assert state.next(1.0, credentials_refused=True).new_credentials


def test_short_sessions_are_no_success() -> None:
    """A broker that takes a client and drops it at once is not asked each second for ever."""
    _, state = pauses(Reconnection(), 5)
    assert state.after_session(STABLE_SESSION - 1).next(1.0).pause == 32
    assert state.after_session(STABLE_SESSION).next(1.0).pause == 1
    _, state = pauses(Reconnection(), 12)
    assert state.after_session(1).next(1.0).pause == 240
    assert not state.after_session(STABLE_SESSION).failed


def test_reset() -> None:
    """The next attempt is the first one."""
    _, state = pauses(Reconnection(strategy=Strategy.NEW_CLIENT), 20)
    assert state.reset() == Reconnection(strategy=Strategy.NEW_CLIENT)


@given(
    strategy=st.sampled_from(Strategy),
    failures=st.integers(min_value=1, max_value=60),
    jitter=st.floats(min_value=-10, max_value=10),
)
def test_pauses_stay_within_the_jitter(strategy: Strategy, failures: int, jitter: float) -> None:
    """Whatever the jitter is said to be."""
    _, state = pauses(Reconnection(strategy=strategy), failures)
    middle, pause = state.next(1.0).pause, state.next(jitter).pause
    assert 0.8 * middle <= pause <= 1.2 * middle
    assert middle >= 1
