"""What videos and recordings both need of ffmpeg.

programs        where ffmpeg is, its version and its encoders
bounded_child   a child with limits of memory, time and bytes, which ends with its worker; child_launcher sets them
"""
