"""One image for those who want to see why: every answer as a layer, each merged box with its members, each vote with
the position of every service, and what it would be without some services."""
