"""gunicorn -c webhook_receiver/gunicorn.conf.py, with --bind where to listen."""  # noqa: N999  gunicorn's name

import os
from pathlib import Path

wsgi_app = "webhook_receiver.app:create_app()"
chdir = str(Path(__file__).resolve().parent.parent)

worker_class = "webhook_receiver.worker.DeadlineWorker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 16
# the workers' counters are one map that is made before they are forked
preload_app = True

# a worker is replaced after so many requests, whatever it may have leaked; the others go on meanwhile
max_requests = int(os.environ.get("TURNO_RECEIVER_MAX_REQUESTS", "100000"))
max_requests_jitter = max_requests // 10

timeout = 30
graceful_timeout = 10
keepalive = 5
limit_request_line = 1024
limit_request_fields = 64
limit_request_field_size = 4096

# the application writes a line for every webhook itself
logger_class = "webhook_receiver.worker.ErrorLogger"
control_socket_disable = True
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "webhook_receiver.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {"gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
