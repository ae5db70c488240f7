"""RabbitMQ itself: ask reads its state, judge makes findings of it."""
