"""The producers: registering images, and putting them into the queues of the services."""
