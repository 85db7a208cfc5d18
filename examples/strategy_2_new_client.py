#!/usr/bin/env python3
"""Strategy 2: after ten attempts that failed, connect with a new client each 60 s.

It heals what a client has kept from before: certificates that were replaced, a version of MQTT.
"""

from blupow_ble.supervisor.reconnection import Strategy
from heartbeat import run

if __name__ == "__main__":
    run(__doc__, Strategy.NEW_CLIENT)
