"""`python -m local_stack.gateways --port P --receiver-url URL`: the gateways' stand-in.

The webhook secrets are the receiver's own variables, TURNO_WEBHOOK_SECRET_<GATEWAY>_<LENDER>.
"""

import argparse
import os
from collections.abc import Mapping

import uvicorn

from local_stack.gateways.delivery import Courier
from local_stack.gateways.payments import Gateway
from local_stack.gateways.server import build_app
from local_stack.processes import LOOPBACK

_PREFIX = "TURNO_WEBHOOK_SECRET_"


def read_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The current webhook secrets, keyed `<gateway>:<lender>`."""
    secrets = {}
    for name, value in environment.items():
        gateway, _, lender = name.removeprefix(_PREFIX).lower().partition("_")
        if name.startswith(_PREFIX) and gateway in set(Gateway):
            secrets[f"{gateway}:{lender}"] = value
    return secrets


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.gateways", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--receiver-url", required=True, help="such as http://127.0.0.1:54333")
    options = parser.parse_args()
    courier = Courier(options.receiver_url.rstrip("/"), read_secrets(os.environ))
    uvicorn.run(build_app(courier), host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
