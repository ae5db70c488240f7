"""What is done to the pixels of pictures: each a pure function that gives the same result for the same seed."""
