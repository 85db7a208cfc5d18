"""Modbus frames, sessions over GATT, pushed frames, and the errors that they raise."""
