"""`python -m blupow_ble`: the child of the integration, and a tool for people."""

import sys


def main() -> int:
    """Serve a request from a parent, or run a command for a person."""
    if len(sys.argv) == 1 and not sys.stdin.isatty():
        from .child import main as serve  # noqa: PLC0415

        return serve()
    from .commands import main as command  # noqa: PLC0415

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
