"""Whatever comes from outside becomes checked chunks here, once."""
