"""Serve the stand-in: `python -m local_stack.fineract --port 25434 --state FILE.sqlite`. One process, until SIGTERM."""

import argparse
from pathlib import Path

import uvicorn

from local_stack.fineract.server import Api, StandInProtocol
from local_stack.fineract.store import Store

KEEP_ALIVE_SECONDS = 60
STOP_SECONDS = 3


def main() -> None:
    """Serve until told to end."""
    arguments = _arguments()
    uvicorn.run(
        Api(Store(arguments.state)).application(),
        host=arguments.host,
        port=arguments.port,
        http=StandInProtocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_stack.fineract", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--state", type=Path, required=True, help="the SQLite file; made when it is not there"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
