"""The job queue: broker, messages, relay, Celery application."""
