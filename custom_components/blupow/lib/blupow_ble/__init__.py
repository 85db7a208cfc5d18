"""Renogy power devices over Bluetooth LE: frames, profiles, sessions and the reader process.

Nothing in this package imports Home Assistant. Inside it only relative imports are used, so that the
same files work as `blupow_ble` in a child process and as a part of the integration.
"""
