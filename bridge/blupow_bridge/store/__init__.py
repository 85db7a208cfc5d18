"""The database of a bridge: every reading, and what they come to by hour and day."""
