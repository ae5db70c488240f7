"""Calibration: fitting the constants of merging and voting to labelled images."""
