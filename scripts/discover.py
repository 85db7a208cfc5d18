#!/usr/bin/env python3
"""List the Renogy devices that are heard: address, signal strength, family, name."""

import sys

import _environment  # noqa: F401  first: it brings the right Python and the library

from blupow_ble.cli import main

if __name__ == "__main__":
    sys.exit(main(["scan", *sys.argv[1:]]))
