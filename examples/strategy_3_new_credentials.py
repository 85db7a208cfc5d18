#!/usr/bin/env python3
"""Strategy 3: as strategy 2, with the username and the password read again each time.

It heals a password, or a token, that was changed while the client was connected.
"""

from blupow_ble.supervisor.reconnection import Strategy
from heartbeat import run

if __name__ == "__main__":
    run(__doc__, Strategy.NEW_CREDENTIALS)
