"""`python -m blupow_ble`: the child of the integration, and a tool for people."""

import os
import stat
import sys


def _has_parent() -> bool:
    """Say whether a process is at the other end of the standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except AttributeError, OSError:  # closed before the start
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def main() -> int:
    """Serve a request from a parent, or run a command for a person."""
    if len(sys.argv) == 1 and _has_parent():
        from .reader.child import main as serve  # noqa: PLC0415

        return serve()
    from .cli import main as command  # noqa: PLC0415

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
