"""What became of files, rows and mandates, for a person: the look-ups behind `turno files`, `rejects` and `umrn`."""

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.warehouse.connection import Row, WarehouseConnection

_FILES = """
select
    file_id, lender, kind, key, state, coalesce(error_code, '') as error, rows_read, rows_accepted, rows_filtered,
    rows_duplicate, rows_rejected, (paise_accepted / 100.0)::numeric(18, 2) as rupees_accepted, superseded_by, warning
from raw.raw_s3_file_processing_log
where
    (%(lender)s::text is null or lender = %(lender)s)
    and (%(state)s::text is null or state = %(state)s)
order by file_id desc
limit %(limit)s
"""

_FILE = """
select
    file_id, lender, kind, key, etag, size_bytes, sha256, state, error_code, error_message, mapping_version,
    rows_layout, rows_read, rows_accepted, rows_filtered, rows_duplicate, rows_rejected, rows_amount_unreadable,
    (paise_read / 100.0)::numeric(18, 2) as rupees_read, (paise_accepted / 100.0)::numeric(18, 2) as rupees_accepted,
    same_content_as, superseded_by, rows_superseded, (paise_superseded / 100.0)::numeric(18, 2) as rupees_superseded,
    warning, handed_in_by, uploaded_at, received_at, finished_at, dag_id, dag_run_id
from raw.raw_s3_file_processing_log
where file_id::text = %(file)s or key = %(file)s
order by file_id
"""

_REASONS = """
select disposition, reason_code, fate, count(*) as rows, (sum(amount_paise) / 100.0)::numeric(18, 2) as rupees
from raw.raw_rejected_records
where file_id = %s
group by disposition, reason_code, fate
order by disposition, reason_code, fate
"""

_REPLAYS = """
select replay_id, mapping_version_before, mapping_version, replayed_at, replayed_by, detail ->> 'changed_rows' as rows
from raw.raw_file_replay
where file_id = %s
order by replay_id
"""

REJECT_COLUMNS = (
    "reject_id", "lender", "file_id", "row_number", "reason_code", "fate", "rupees", "message", "raw_text",
)  # fmt: skip
"""Of a rejected row, what its lender may see."""

_REJECTS = """
select
    reject_id, lender, file_id, row_number, reason_code, fate, fate_by, fate_reason,
    (amount_paise / 100.0)::numeric(18, 2) as rupees, message, raw_text
from raw.raw_rejected_records
where
    disposition = 'rejected'
    and (%(lender)s::text is null or lender = %(lender)s)
    and (%(file_id)s::bigint is null or file_id = %(file_id)s)
    and (%(reason)s::text is null or reason_code = %(reason)s)
    and (%(all)s or fate = 'open')
order by reject_id
limit %(limit)s
"""

_MANDATES = """
select umrn, loan_id, lender, valid_from, valid_to, file_id, loaded_by_run, loaded_at
from raw.raw_umrn_master
where
    (%(lender)s::text is null or lender = %(lender)s)
    and (%(on)s::date is null or %(on)s between valid_from and coalesce(valid_to, 'infinity'))
    and (%(name)s::text is null or umrn = %(name)s or loan_id = %(loan)s)
order by umrn, valid_from
limit %(limit)s
"""

_CONFLICTS = """
select log.file_id, log.key, reject.row_number, reject.reason_code, reject.message, reject.raw_text
from raw.raw_rejected_records as reject
inner join raw.raw_s3_file_processing_log as log on reject.file_id = log.file_id
where log.kind = 'umrn_master' and reject.fate = 'open'
order by reject.reject_id
limit %(limit)s
"""


def files(
    conn: WarehouseConnection, lender: str | None = None, state: str | None = None, limit: int = 50
) -> list[Row]:
    """The newest file versions of the log."""
    return conn.execute(_FILES, {"lender": lender, "state": state, "limit": limit}).fetchall()


def versions_of(conn: WarehouseConnection, file: str) -> list[Row]:
    """All that the log says about a file id, or about every version of a key."""
    return conn.execute(_FILE, {"file": file}).fetchall()


def reasons(conn: WarehouseConnection, file_id: int) -> list[Row]:
    """Why rows of a file were not accepted, with counts and rupees."""
    return conn.execute(_REASONS, (file_id,)).fetchall()


def replays(conn: WarehouseConnection, file_id: int) -> list[Row]:
    """The replays that changed something."""
    return conn.execute(_REPLAYS, (file_id,)).fetchall()


def rejects(conn: WarehouseConnection, **wanted: str | int | bool | None) -> list[Row]:
    """Rejected rows: `lender`, `file_id` and `reason` narrow it down, `all` adds the settled ones."""
    values = {"lender": None, "file_id": None, "reason": None, "all": False, "limit": 50, **wanted}
    return conn.execute(_REJECTS, values).fetchall()


def mandates(conn: WarehouseConnection, name: str | None = None, **wanted: object) -> list[Row]:
    """The UMRN master: every period of a UMRN or loan, or of all; `lender` and a day (`on`) narrow it down."""
    umrn = "".join(name.split()).upper() if name else None
    loan = canonical_loan_id(name) if name else None
    return conn.execute(
        _MANDATES, {"lender": None, "on": None, "limit": 50, **wanted, "name": umrn, "loan": loan}
    ).fetchall()


def mandate_conflicts(conn: WarehouseConnection, limit: int = 50) -> list[Row]:
    """Rows of master files that were not taken, because they contradict the history or cannot be read."""
    return conn.execute(_CONFLICTS, {"limit": limit}).fetchall()
