"""Results of commands, as frozen records that are written to JSON and read back."""
