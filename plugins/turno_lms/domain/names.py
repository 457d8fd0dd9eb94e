"""Names made of lender slugs: database objects, and the DAG of a lender's files."""

import re

MAX_IDENTIFIER_BYTES = 63
INGEST = "ingest__"
"""What the id of a lender's DAG begins with, before the slug."""
_SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
RESERVED_SLUGS = frozenset(
    {
        "payment_file", "razorpay_api", "cashfree_api", "umrn_master", "rejected_records", "s3_file_processing_log",
        "fineract_api_log", "fineract_loan_snapshot", "webhook_dead_letter", "manual_repayment", "default", "all",
    }
)  # fmt: skip


def check_slug(slug: str) -> str:
    """Return `slug` when a lender may have it; raise ValueError with the rule it breaks otherwise."""
    if not _SLUG.fullmatch(slug):
        raise ValueError(
            f"lender slug {slug!r}: a letter first, then lower-case letters, digits and single underscores"
        )
    if slug in RESERVED_SLUGS or slug.endswith(("_los", "_razorpay_api", "_cashfree_api")):
        raise ValueError(f"lender slug {slug!r} is reserved: raw_{slug} is another table's name")
    longest = gateway_table(slug, "razorpay")
    if len(longest.encode()) > MAX_IDENTIFIER_BYTES:
        raise ValueError(
            f"lender slug {slug!r} is too long: table {longest} exceeds {MAX_IDENTIFIER_BYTES} bytes"
        )
    return slug


def payment_file_table(slug: str) -> str:
    """The partition of raw.raw_payment_file that holds a lender's rows."""
    return f"raw_{slug}"


def gateway_table(slug: str, gateway: str) -> str:
    """The partition of raw.raw_<gateway>_api that holds a lender's webhooks."""
    return f"raw_{slug}_{gateway}_api"
