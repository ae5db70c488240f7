"""How the fleet is."""
