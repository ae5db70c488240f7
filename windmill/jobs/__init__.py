"""Work that goes through steps: jobs, their tasks, and who works on them. What a step does is not known here."""
