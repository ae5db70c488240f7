"""How work flows: when to try again, how many at a time, how long it takes. Pure, but for what counts as it goes."""
