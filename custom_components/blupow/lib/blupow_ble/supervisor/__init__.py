"""Keeps one device alive, for any host."""
