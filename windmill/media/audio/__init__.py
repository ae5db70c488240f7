"""Recordings: decoded by ffmpeg as a bounded child to PCM, 16 kHz, one channel, and never held in memory as a whole.

containers      which demuxer reads a file, by its first bytes, and whether a chunk is a file of its own
decoding        a file to samples
wave_files      reading and writing parts of WAV files
joining         the chunks of a recording to one WAV file
"""
