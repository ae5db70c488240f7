"""Development stand-ins for the thirteen services, and the pictures with known truth they answer for."""
