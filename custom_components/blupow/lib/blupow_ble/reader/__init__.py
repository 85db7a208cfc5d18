"""One reading of a device: the link, BlueZ, the plan, and the process that takes it."""
