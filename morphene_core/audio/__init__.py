"""Audio: prepared, measured, compared and pictured."""
