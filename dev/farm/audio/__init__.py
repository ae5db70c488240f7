"""A stand-in for servers that listen. It understands a language of tones and nothing else, but that it really hears."""
