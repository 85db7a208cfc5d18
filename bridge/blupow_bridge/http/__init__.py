"""The web server of a bridge."""
