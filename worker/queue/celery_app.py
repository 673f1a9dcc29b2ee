"""The Celery application: two lanes and one task, whose messages hold a job id."""

from typing import Any

from celery import Celery
from celery.app.log import Logging
from kombu import Queue

from worker.logs import configure_logs
from worker.queue.broker import LANES
from worker.queue.tls import broker_tls
from worker.queue.transport import install_transport
from worker.settings import Settings


class _Logging(Logging):  # type: ignore[misc]  # Celery is untyped
    """Logging of the application: that of all of Saek, in the worker and in its child processes."""

    def setup(self, *_: Any, **__: Any) -> None:
        configure_logs(self.app.conf.saek_settings)


def create_app(settings: Settings) -> Celery:
    """Return the application for the broker of the settings; opens no connection.

    Celery sends its configuration to child processes, which find the settings there as `saek_settings`.
    """
    install_transport()
    app = Celery("saek", log=_Logging, set_as_current=False)
    app.conf.update(
        saek_settings=settings,
        broker_url=settings.broker_address(),
        broker_use_ssl=broker_tls(settings),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a broker whose disk is full rejects commands until it recovers
        broker_transport_options={
            # The reconciler comes before redelivery by the broker. A timeout shorter than a task would make
            # the broker deliver it again and again.
            "visibility_timeout": settings.task_seconds + 600,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "queue_order_strategy": "priority",
            "socket_keepalive": True,
            "socket_connect_timeout": 5.0,
            "socket_timeout": 5.0,  # also of the TLS handshake, which a server without TLS never answers
            "health_check_interval": 5,  # seconds after which an overdue answer to BRPOP is given up
        },
        task_queues=[Queue(lane) for lane in LANES],
        task_default_queue=LANES[0],
        task_create_missing_queues=False,
        include=["worker.jobs.tasks"],
        accept_content=["json"],
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        # A message whose child process died is not requeued: a poison file would loop. The lease in the
        # record expires and counts the attempt.
        task_reject_on_worker_lost=False,
        task_time_limit=settings.task_seconds,
        worker_prefetch_multiplier=1,
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=120.0,  # importing torch takes seconds
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the lease prevents double work
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        enable_utc=True,
    )
    return app
