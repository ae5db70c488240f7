"""The engine that has the services of the image fleet look at pictures, through their queues.

engine      a request: its images are registered, submitted window by window, and its answers written to a file
submission  which image goes to which services next, kept in the database
session     connections to the database and the broker, opened when they are needed
answers     what the services have said, as a document
"""
