"""Tokens of those who submit operations: hashed at rest, changed with an overlap, ended at once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from local_stack.environment import warehouse_connections
from turno_lms.cli import _mount, app
from turno_lms.los.callers import CallerError, issue_token, revoke_tokens
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

STANDING = (
    "select count(*) as tokens from core.core_los_caller_token where not_after is null or not_after > now()"
)


def standing(conn: WarehouseConnection) -> int:
    row = conn.execute(STANDING).fetchone()
    conn.commit()
    return int((row or {})["tokens"])


def test_a_token_is_kept_as_its_hash_alone(warehouse_role_url: Callable[[str], str]) -> None:
    with connect(warehouse_role_url(Role.POSTER)) as conn:
        token = issue_token(conn, "origination", "asha")
        rows = conn.execute("select * from core.core_los_caller_token").fetchall()
    assert len(token) == 43  # 256 bits in base64: 256 / 6, rounded up
    assert token not in str(rows)
    assert [(row["caller"], row["created_by"], row["not_after"]) for row in rows] == [
        ("origination", "asha", None)
    ]


def test_an_old_token_stands_for_the_overlap_and_no_longer(warehouse: WarehouseConnection) -> None:
    for overlap, tokens in ((timedelta(hours=1), 1), (timedelta(hours=1), 2), (timedelta(0), 1)):
        issue_token(warehouse, "origination", "asha", overlap=overlap)
        warehouse.commit()
        assert standing(warehouse) == tokens
    assert revoke_tokens(warehouse, "origination") == 1
    warehouse.commit()
    assert standing(warehouse) == 0


def test_a_callers_name_is_plain(warehouse: WarehouseConnection) -> None:
    with pytest.raises(CallerError, match="lower-case letters"):
        issue_token(warehouse, "Origination", "asha")


def test_the_command_prints_the_token_and_nothing_else(
    warehouse: WarehouseConnection, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in warehouse_connections(lambda _role: warehouse_url).items():
        monkeypatch.setenv(name, value)
    _mount()
    made = CliRunner().invoke(app, ["los", "token", "origination", "--actor", "asha"])
    assert (made.exit_code, len(made.stdout.strip())) == (0, 43)
    assert CliRunner().invoke(app, ["los", "revoke", "origination"]).stdout == "origination revoked=1\n"
    assert standing(warehouse) == 0
