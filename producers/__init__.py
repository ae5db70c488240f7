"""The producers: register images, and publish jobs for them to the services' queues."""
