"""How far the fleet is: read, reckoned and rendered."""
