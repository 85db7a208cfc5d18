#!/usr/bin/env python3
"""Write the weak links of docs/measurements.md: how often a device is lost in 12 h, with each pace of the polls."""

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys

import _environment  # noqa: F401  first: it brings the right Python and the library

from blupow_ble import output
from simulator.weak_link import Pace, mean_losses

MEASUREMENTS = Path(__file__).resolve().parent.parent / "docs" / "measurements.md"
BEGIN = "<!-- weak links begin: written by scripts/weak_link.py -->"
END = "<!-- weak links end -->"
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
BURSTS = (None, 120.0, 300.0, 600.0)


def table(seeds: int) -> Iterator[str]:
    """Go through the lines of the table."""
    yield "| Failures | Pace | " + " | ".join(f"{share:.0%} good" for share in SHARES) + " |"
    yield "|---|---|" + "---|" * len(SHARES)
    for mean_bad in BURSTS:
        kind = "independent" if mean_bad is None else f"in runs of {mean_bad / 60:g} min on average"
        for pace, name in (
            (Pace.NOW, "BluPow"),
            (Pace.PLAIN, "plain interval"),
            (Pace.BREAKER, "circuit breaker (before)"),
        ):
            figures = (mean_losses(share, pace, seeds, mean_bad) for share in SHARES)
            yield f"| {kind} | {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |"


def main() -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400, metavar="N", help="how many runs (400)")
    parser.add_argument("--print", action="store_true", help="print it instead")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    lines = "\n".join(table(options.seeds))
    if options.print:
        print(lines)
        return 0
    before, _, rest = MEASUREMENTS.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        print(f"weak_link: {MEASUREMENTS.name} lacks the marks of the table", file=sys.stderr)
        return 1
    MEASUREMENTS.write_text(f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(output.run(main))
