#!/usr/bin/env python3
"""Strategy 4, the default: recoveries after 60, 120, 240, 300 s, then every 15 min.

Each has a new client; those that follow refused credentials, and each third, read them again.
"""

from blupow_ble.supervisor.reconnection import Strategy
from heartbeat import run

if __name__ == "__main__":
    run(__doc__, Strategy.BACK_OFF)
