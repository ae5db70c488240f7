"""Jobs as clients of the video service know them: named by 24 digits, made of a video, in words of their own."""
