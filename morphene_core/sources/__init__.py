"""The raw recordings of an instrument: what they are, whose they are, and whether they are good."""
