"""The stand-in's published logins, like a default password. `<id>_<lender>` is the account of one lender."""

import os

API_KEY_ID = "rzp_test_standin"
CASHFREE_CLIENT_ID = "cf_test_standin"
API_KEY_SECRET = os.environ.get("TURNO_GATEWAYS_API_SECRET", "standin")
