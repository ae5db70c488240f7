"""Videos: ffmpeg as bounded children, and nowhere else.

running         runs ffmpeg to its end: its progress, its log, and whose fault it is
containers      which demuxer reads a file, by its first bytes
scanning        the streams and packets of a file, within limits
cutting         segments by copy
encoding        a segment to a fragmented MP4
frame_pipe      frames through this process, each with its time
comparing       how near a segment that was made is to its source
joining         segments and the sound of the source to one MP4
snapshots       small pictures along a video
"""
