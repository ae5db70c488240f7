"""The stand-ins moved to dev.farm; `python -m farm` is kept for one release."""
