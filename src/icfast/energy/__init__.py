"""Energy that was spent: joules with the source that says so."""
