"""Network addresses: servers as settings name them, and which private hosts an image URL may name. Pure."""
