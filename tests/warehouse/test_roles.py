"""Who may do what in the warehouse: the table of docs/database-roles.md, the catalog and the statements themselves agree."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

TABLE = (Path(__file__).resolve().parents[2] / "docs" / "database-roles.md").read_text(encoding="utf-8")
COLUMNS = (
    Role.INGESTION, Role.RECONCILER, Role.POSTER, Role.CONSOLE, Role.DBT, Role.RECEIVER, Role.FINANCE,
)  # fmt: skip
STATED = {
    cells[0]: dict(zip(COLUMNS, cells[1:], strict=True))
    for line in TABLE.splitlines()
    if re.match(r"\| (raw|core|masked)\.", line)
    for cells in [[cell.strip().strip("-") for cell in line.strip("|").split("|")]]
}
RELATIONS = """
select home.nspname as schema, relation.relname as name, relation.relkind = 'v' as is_view,
    (select attname from pg_attribute where attrelid = relation.oid and attnum = 1) as first_column
from pg_class as relation
inner join pg_namespace as home on home.oid = relation.relnamespace
where
    home.nspname in ('raw', 'base', 'core', 'masked') and relation.relkind in ('r', 'p', 'v', 'm')
    and not relation.relispartition
order by home.nspname, relation.relname
"""
IN_CATALOG = """
select
    role_name,
    concat(
        case when has_table_privilege(role_name, %(relation)s, 'select') then 'S' end,
        case when has_table_privilege(role_name, %(relation)s, 'insert') then 'I' end,
        case when has_table_privilege(role_name, %(relation)s, 'update') then 'U' end,
        case when has_table_privilege(role_name, %(relation)s, 'delete') then 'D' end,
        case when has_table_privilege(role_name, %(relation)s, 'truncate, references, trigger') then '!' end
    ) as rights
from unnest(%(roles)s::text[]) as role_name
"""
STATEMENTS = {
    "S": "select from {relation} limit 0",
    "I": "insert into {relation} default values",
    "U": "update {relation} set {column} = default where false",
    "D": "delete from {relation} where false",
}
GB_UMRN, NOTE = "HDFC7021204567890123", "from Ravi Kumar, 9876543210"


@pytest.fixture
def lenders(warehouse: WarehouseConnection) -> WarehouseConnection:
    """A warehouse that knows the shipped lenders."""
    apply_lenders(warehouse, load_lenders())
    warehouse.commit()
    return warehouse


def stated_for(relation: str) -> dict[Role, str]:
    """What the document says of a relation; the views of a lender stand there once for all."""
    if relation.startswith("masked.") and relation not in STATED:
        relation = re.sub(r"^masked\.[a-z0-9]+_", "masked.&lt;lender&gt;_", relation)
    return STATED[relation]


def test_the_document_states_the_rights_that_the_catalog_has(lenders: WarehouseConnection) -> None:
    relations = [f"{row['schema']}.{row['name']}" for row in lenders.execute(RELATIONS)]
    assert {re.sub(r"^masked\.gb_", "masked.&lt;lender&gt;_", name) for name in relations} >= set(STATED)
    for relation in relations:
        found = lenders.execute(IN_CATALOG, {"relation": relation, "roles": list(COLUMNS)})
        assert {row["role_name"]: row["rights"] for row in found} == stated_for(relation), relation


@pytest.mark.parametrize("role", COLUMNS)
def test_a_role_can_do_what_the_document_states_and_nothing_else(
    lenders: WarehouseConnection, warehouse_role_url: Callable[[str], str], role: Role
) -> None:
    tried, refused = 0, 0
    with connect(warehouse_role_url(role)) as conn:
        for row in lenders.execute(RELATIONS).fetchall():
            rights = stated_for(f"{row['schema']}.{row['name']}")[role]
            for right, statement in STATEMENTS.items():
                if row["is_view"] and right != "S":
                    continue
                names = {
                    "relation": sql.Identifier(row["schema"], row["name"]),
                    "column": sql.Identifier(row["first_column"]),
                }
                tried += 1
                is_refused = refuses(conn, sql.SQL(statement).format(**names))
                assert is_refused == (right not in rights), (role, right, row["schema"], row["name"])
                refused += is_refused
    assert tried > 200
    assert refused > 50


def refuses(conn: WarehouseConnection, statement: sql.Composed) -> bool:
    """Whether PostgreSQL refuses a statement for want of a right; what else it says of it does not matter here."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    except psycopg.Error:
        return False
    return False


@pytest.mark.parametrize("role", COLUMNS)
def test_no_role_makes_or_drops_what_the_migrations_own(
    lenders: WarehouseConnection, warehouse_role_url: Callable[[str], str], role: Role
) -> None:
    with connect(warehouse_role_url(role)) as conn:
        assert refuses(conn, sql.SQL("create table raw.probe (id integer)").format())
        assert refuses(conn, sql.SQL("drop table core.core_transaction_data_processed").format())
        assert refuses(conn, sql.SQL("truncate raw.raw_fineract_api_log").format())
        assert refuses(conn, sql.SQL("create table core.probe (id integer)").format()) == (
            role is not Role.DBT
        )
        # a partition is reached through its parent only
        assert refuses(conn, sql.SQL("select from raw.raw_gb limit 0").format())


def test_the_role_of_earlier_releases_can_do_nothing(
    lenders: WarehouseConnection,
) -> None:
    for row in lenders.execute(RELATIONS).fetchall():
        relation = f"{row['schema']}.{row['name']}"
        found = lenders.execute(IN_CATALOG, {"relation": relation, "roles": ["turno_app"]}).fetchone()
        assert found == {"role_name": "turno_app", "rights": ""}, relation


def test_finance_sees_a_lenders_rows_without_personal_data(
    lenders: WarehouseConnection, warehouse_role_url: Callable[[str], str]
) -> None:
    lenders.execute(
        """
        insert into raw.raw_payment_file
            (loan_id, amount, date, note, source_file, lender, _kind, _umrn, _file_id, _row_number, _mapping_version)
        values
            ('GB100234', '5499.00', '2026-01-05', %(note)s, 'a.csv', 'gb', 'nach_response', %(umrn)s, 1, 5, 'v'),
            ('UG100234', '10.00', '2026-01-05', null, 'u.csv', 'ugro', 'nach_response', 'short', 2, 1, 'v')
        """,
        {"note": NOTE, "umrn": GB_UMRN},
    )
    lenders.execute(
        """
        insert into raw.raw_razorpay_api (lender, event_key, body_sha256, event_type, body, payload, headers, verdict)
        values ('axle', 'e1', 's1', 'payment.captured', '{}',
            '{"payload": {"payment": {"entity": {"contact": "+919876543210", "email": "ravi@example.com"}}}}', '{}',
            'verified_current')
        """
    )
    lenders.execute("insert into core.core_recon_exception (kind, subject, detail, opened_by_run) values "
                    "('unknown_loan', 'k', '{\"payer\": \"Ravi\"}', 'r')")  # fmt: skip
    lenders.commit()
    with connect(warehouse_role_url(Role.FINANCE)) as conn:
        gb = conn.execute("select * from masked.gb_payment_file").fetchall()
        assert [(row["loan_id"], row["amount"], row["umrn"]) for row in gb] == [
            ("GB100234", "5499.00", "xxxxxxxxxxxxxxxx0123")
        ]
        assert NOTE not in str(gb)
        assert GB_UMRN not in str(gb)
        ugro = conn.execute("select umrn from masked.ugro_payment_file").fetchall()
        assert ugro == [{"umrn": "xxxxx"}]
        events = conn.execute("select * from masked.axle_gateway_event").fetchall()
        assert [row["payer_phone"] for row in events] == ["xxxxxxxxx3210"]
        assert "ravi@example.com" not in str(events)
        exceptions = conn.execute("select * from masked.recon_exception").fetchall()
        assert [row["subject"] for row in exceptions] == ["k"]
        assert "Ravi" not in str(exceptions)


def test_views_are_made_for_a_new_lender_and_anew_where_their_definition_changed(
    lenders: WarehouseConnection,
) -> None:
    lenders.execute("drop view masked.gb_payment_file")
    lenders.execute("comment on view masked.ugro_payment_file is 'of an earlier release'")
    assert apply_lenders(lenders, load_lenders()) == [
        "gb: view masked.gb_payment_file", "ugro: view masked.ugro_payment_file",
    ]  # fmt: skip
    assert apply_lenders(lenders, load_lenders()) == []
