"""Tests of the real thing: real processes on a simulated Bluetooth."""
