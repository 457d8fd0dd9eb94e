"""Settlement reports into RAW: each report once, each settled line once, whichever way it comes."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.fineract import exact_json
from turno_lms.reconciliation.settlement_layouts import GATEWAYS
from turno_lms.reconciliation.settlement_lines import SettlementError, SettlementLine
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

PREFIX = "settlements/"
"""Where report files arrive: settlements/<gateway>/<lender>/<name>.csv or .xlsx."""
_ENDINGS = (".csv", ".xlsx")
_KNOWN = """
select 1 from raw.raw_gateway_settlement_report
where gateway = %s and lender = %s and source = %s and name = %s and sha256 = %s
"""
_REPORT = """
insert into raw.raw_gateway_settlement_report
    (gateway, lender, source, name, sha256, lines, lines_new, rupees_net, landed_by_run)
values (%(gateway)s, %(lender)s, %(source)s, %(name)s, %(sha256)s, %(lines)s, %(lines_new)s, %(rupees_net)s, %(run)s)
returning report_id
"""


@dataclass(frozen=True)
class Report:
    """A report that came: its account, file or API, its name (key, or the day asked for), and its lines."""

    gateway: str
    lender: str
    source: str
    name: str
    sha256: str
    lines: Sequence[SettlementLine]


@dataclass(frozen=True)
class Landed:
    """What became of a report: its lines, those that were new, and the rupees that reached the bank by all of them."""

    name: str
    lines: int
    lines_new: int
    rupees_net: Decimal

    def to_dict(self) -> dict[str, Any]:
        """As JSON for an XCom."""
        return asdict(self) | {"rupees_net": str(self.rupees_net)}


def account_of(key: str) -> tuple[str, str] | None:
    """Gateway and lender of a report's key; None where the key is no report's."""
    parts = PurePosixPath(key).parts
    named = len(parts) == 4 and key.startswith(PREFIX) and parts[1] in GATEWAYS  # noqa: PLR2004  # see PREFIX
    return (parts[1], parts[2]) if named and key.lower().endswith(_ENDINGS) else None


def digest(content: bytes) -> str:
    """sha256 of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def digest_of_lines(lines: Sequence[SettlementLine]) -> str:
    """sha256 of an API's answer, in one form."""
    return digest(exact_json.dumps([dict(line.payload) for line in lines]).encode())


def is_landed(conn: WarehouseConnection, account: tuple[str, str], key: str, sha256: str) -> bool:
    """Whether a file with these bytes was landed under this key."""
    return conn.execute(_KNOWN, (*account, "file", key, sha256)).fetchone() is not None


def land(conn: WarehouseConnection, report: Report, run: RunContext) -> Landed:
    """Store a report and its new lines in one transaction; the same report again is a no-op.

    Raises SettlementError where a line that was settled before says something else now: that is a question to the
    gateway, and nothing is stored.
    """
    net = sum((line.net for line in report.lines), Decimal(0))
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(hashtextextended('gateway settlement', 0))")
        named = (report.gateway, report.lender, report.source, report.name, report.sha256)
        if conn.execute(_KNOWN, named).fetchone():
            return Landed(report.name, len(report.lines), 0, net)
        values = {"gateway": report.gateway, "lender": report.lender, "run": run.label}
        conn.execute(STATEMENTS["make_settlement_lines"])
        conn.cursor().executemany(
            STATEMENTS["stage_settlement_line"], [_values(line) for line in report.lines]
        )
        if changed := conn.execute(STATEMENTS["changed_settlement_line"], values).fetchone():
            raise SettlementError(
                f"{report.name}, line {changed['number']}: {changed['entity_id']} of settlement "
                f"{changed['settlement_id']} came before with {changed['before']}, now with {changed['now']}: "
                "ask the gateway"
            )
        new = conn.execute(STATEMENTS["new_settlement_lines"], values).fetchone()
        told = {
            **vars(report), **values, "lines": len(report.lines), "lines_new": (new or {})["lines"], "rupees_net": net,
        }  # fmt: skip
        stored = conn.execute(_REPORT, told).fetchone()
        values["report_id"] = (stored or {})["report_id"]
        touched = conn.execute(STATEMENTS["land_settlement_lines"], values).rowcount
        conn.execute("drop table settlement_line")
    return Landed(report.name, len(report.lines), touched, net)


def _values(line: SettlementLine) -> dict[str, Any]:
    return {**vars(line), "payload": exact_json.dumps(dict(line.payload))}
