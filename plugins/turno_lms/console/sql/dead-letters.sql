select
    letter.dead_letter_id,
    letter.gateway,
    letter.lender,
    letter.reason_code,
    letter.event_key,
    letter.fate,
    letter.attempts,
    letter.last_error,
    letter.received_at,
    letter.fate_by,
    letter.fate_at,
    letter.fate_reason
from raw.raw_webhook_dead_letter as letter
