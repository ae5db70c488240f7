"""Pure computation: no I/O, no clock, no dice, no log."""
