"""One suite of comparisons to a file."""
