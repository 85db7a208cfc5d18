"""The MQTT publisher of a bridge: its devices for a broker, with Home Assistant's discovery."""
