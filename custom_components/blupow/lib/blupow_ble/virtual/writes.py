"""How virtual devices take writes: as real ones were seen to, well and badly.

Sources: owners' write tests of RIV4835CSH1S, RVR40 over a BT-2 (keeps, and says nothing), SRNE ML2420
(says it keeps, and does not), SRNE hybrids (exceptions 3, 8 and 11); the ROVER document (prints the echo
with another register).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Habit(StrEnum):
    """What a device does with a write."""

    KEEPS = "keeps"
    """Echoes it and keeps it."""
    FORGETS = "forgets"
    """Echoes it and does not keep it."""
    SILENT = "silent"
    """Keeps it and says nothing."""
    DEAF = "deaf"
    """Neither keeps it nor says anything."""
    OTHER_ECHO = "other_echo"
    """Keeps it and echoes another register."""
    ROUNDS = "rounds"
    """Echoes it and keeps a multiple of ten."""
    CLIPS = "clips"
    """Echoes it and keeps 100 at most."""
    REFUSES = "refuses"
    """Answers with an exception."""
    KEEPS_AND_REFUSES = "keeps_and_refuses"
    """Answers with an exception and keeps it nevertheless."""
    SLOW = "slow"
    """Echoes it and keeps it only once it was read again."""


LARGEST_CLIPPED: Final = 100


@dataclass(slots=True)
class Writes:
    """What a device does with writes, and what it was sent."""

    habit: Habit = Habit.KEEPS
    code: int = 4
    """The exception of one that refuses."""
    seen: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    """Register and words of each write, in their order."""
    late: dict[int, int] = field(default_factory=dict)
    """What a slow device still has to keep."""

    def kept(self, changes: dict[int, int]) -> dict[int, int]:
        """Return which of some changes a device keeps, and how."""
        match self.habit:
            case Habit.FORGETS | Habit.DEAF | Habit.REFUSES:
                return {}
            case Habit.ROUNDS:
                return {register: word // 10 * 10 for register, word in changes.items()}
            case Habit.CLIPS:
                return {register: min(word, LARGEST_CLIPPED) for register, word in changes.items()}
            case Habit.SLOW:
                self.late |= changes
                return {}
        return changes

    @property
    def silent(self) -> bool:
        """Whether it says nothing."""
        return self.habit in (Habit.SILENT, Habit.DEAF)

    @property
    def refuses(self) -> bool:
        """Whether it answers with an exception."""
        return self.habit in (Habit.REFUSES, Habit.KEEPS_AND_REFUSES)
