"""`python -m blupow_bridge`."""

import sys

from .cli import command

sys.exit(command())
