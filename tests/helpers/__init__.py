"""What tests share: devices, scripts, clocks."""
