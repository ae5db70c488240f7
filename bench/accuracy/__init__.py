"""How near the truth the merged boxes and the vote come, on drawn scenes whose truth is known."""
