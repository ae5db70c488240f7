"""How well talk is heard: bench/talk/accuracy.py."""
