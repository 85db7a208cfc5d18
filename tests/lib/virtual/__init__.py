"""Tests of the virtual devices."""
