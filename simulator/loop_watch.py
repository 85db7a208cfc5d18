"""`python -m simulator.loop_watch`: Home Assistant, with each callback of its event loop timed.

Asyncio's own debug mode would do that too, but slows everything down that is to be measured.
"""

import asyncio
from asyncio import events
import inspect
import json
import os
from pathlib import Path
import sys
import time
from typing import Any, Final

REPORT: Final = "BLUPOW_LOOP_REPORT"
"""The environment variable that names the file to write to."""
OURS: Final = "custom_components/blupow/"
SLOW: Final = 0.02
SAVE_INTERVAL: Final = 2.0

_run = vars(events.Handle)["_run"]
_slow: list[dict[str, Any]] = []
_longest: Final = {"blupow": 0.0, "others": 0.0}
_saved_at = 0.0


def _code_files(handle: events.Handle) -> list[str]:
    """Return the source files of what a callback runs: a coroutine with all that it awaits, or a function."""
    callback = getattr(handle, "_callback", None)
    task = getattr(callback, "__self__", None)
    files = []
    if isinstance(task, asyncio.Task):
        step: Any = task.get_coro()
        while step is not None and hasattr(step, "cr_code"):
            files.append(step.cr_code.co_filename)
            step = step.cr_await
        return files
    try:
        return [inspect.getsourcefile(inspect.unwrap(callback)) or ""] if callback else []
    except TypeError:
        return []


def _timed(handle: events.Handle) -> None:
    """Run a callback; note how long it held the loop, and whose it was."""
    global _saved_at  # noqa: PLW0603
    before = _code_files(handle)  # a coroutine that has ended tells nothing any more
    started = time.perf_counter()
    _run(handle)
    now = time.perf_counter()
    seconds = now - started
    whose = "blupow" if any(OURS in file for file in before) else "others"
    _longest[whose] = max(_longest[whose], seconds)
    if seconds >= SLOW and whose == "blupow":
        _slow.append({"seconds": round(seconds, 4), "files": before[-2:]})
    if now - _saved_at > SAVE_INTERVAL:
        _saved_at = now
        Path(os.environ[REPORT]).write_text(json.dumps({"longest": _longest, "slow": _slow}))


if __name__ == "__main__":
    from homeassistant.__main__ import main

    setattr(events.Handle, "_run", _timed)  # noqa: B010 - it is not meant to be replaced
    sys.exit(main())
