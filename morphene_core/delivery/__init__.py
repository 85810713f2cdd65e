"""The delivery: a folder that a musician plays at once, and that others can trust."""
