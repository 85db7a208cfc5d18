"""What Home Assistant's Bluetooth gives a reading: scanners, routes, connection locks, the two readers."""
