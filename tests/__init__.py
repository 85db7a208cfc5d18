"""Tests of BluPow."""
