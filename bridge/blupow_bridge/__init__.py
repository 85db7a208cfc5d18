"""The BluPow bridge: reads Renogy devices beside them, keeps their history, and serves Home Assistant."""
