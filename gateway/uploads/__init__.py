"""Large files that are sent in pieces, and go on after a cut."""
