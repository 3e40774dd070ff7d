"""The data that the methods learn from and are measured on."""
