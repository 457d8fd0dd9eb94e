"""The stand-in's published logins, like a default password. `<id>_<lender>` is the account of one lender."""

API_KEY_ID = "rzp_test_standin"
CASHFREE_CLIENT_ID = "cf_test_standin"
API_KEY_SECRET = "standin"  # noqa: S105  published
