"""Libraries of this integration that know nothing of Home Assistant."""
