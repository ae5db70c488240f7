"""Accuracy of merged boxes and of the vote on drawn scenes with known truth."""
