"""Parked jobs: what their messages tell, redriving and purging them."""
