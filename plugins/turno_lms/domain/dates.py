"""Business dates. A payment's date is its date in India, whatever zone the source speaks."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

IST = ZoneInfo("Asia/Kolkata")


def ist_date(moment: datetime) -> date:
    """The IST date of an aware moment; raises ValueError for a naive one, which would be a guess."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(IST).date()


def ist_date_of_epoch(seconds: int) -> date:
    """The IST date of a Unix time in seconds, as Razorpay sends it."""
    return ist_date(datetime.fromtimestamp(seconds, tz=UTC))
