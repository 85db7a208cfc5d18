#!/usr/bin/env python3
"""Strategy 1: after ten attempts that failed, wait 60 s and begin the attempts anew.

It heals a broker that was away for long. It costs nothing and renews nothing.
"""

from blupow_ble.supervisor.reconnection import Strategy
from heartbeat import run

if __name__ == "__main__":
    run(__doc__, Strategy.RETRY)
