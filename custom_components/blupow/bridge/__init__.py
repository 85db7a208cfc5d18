"""The client of a BluPow bridge: devices that another machine reads."""
