"""Sessions of talk: recorded in chunks, worked on by a job, claimed by people, counted."""
