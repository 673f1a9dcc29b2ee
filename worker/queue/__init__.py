"""How jobs reach the workers: broker, messages, relay, Celery application."""
