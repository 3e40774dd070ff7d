"""From features or pixels to unit vectors."""
