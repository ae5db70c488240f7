"""RabbitMQ: asked in ask*, judged in the others."""
