"""What a product proposes for its loans: Fineract's template, kept in the warehouse for an hour."""

from datetime import timedelta
from urllib.parse import urlencode

from psycopg.types.json import Jsonb

from turno_lms.fineract import exact_json
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.los.desk import LookUpError
from turno_lms.warehouse.connection import WarehouseConnection

KEPT_FOR = timedelta(hours=1)
"""A product changed in Fineract is asked for again after this time at the latest."""
_PERSONAL = ("clientId", "clientAccountNo", "clientName", "clientExternalId", "clientOfficeId")
_FIND = """
select template::text as template from core.core_loan_product_template where product_id = %s and fetched_at > now() - %s
"""
_KEEP = """
insert into core.core_loan_product_template (product_id, template) values (%s, %s)
on conflict (product_id) do update set template = excluded.template, fetched_at = now()
"""


class ProductTemplates:
    """The templates by product. Not shared between threads."""

    def __init__(self, conn: WarehouseConnection, client: FineractClient) -> None:
        self._conn = conn
        self._client = client
        self._known: dict[int, Json] = {}

    def template_of(self, product_id: int, client_id: int) -> Json:
        """What the product proposes; `client_id` is only there because Fineract asks for one. Raises LookUpError."""
        if product_id not in self._known:
            self._known[product_id] = self._kept(product_id) or self._asked(product_id, client_id)
        return self._known[product_id]

    def _kept(self, product_id: int) -> Json | None:
        row = self._conn.execute(_FIND, (product_id, KEPT_FOR)).fetchone()
        if row is None:
            return None
        template: Json = exact_json.loads(row["template"])
        return template

    def _asked(self, product_id: int, client_id: int) -> Json:
        query = {"clientId": client_id, "productId": product_id, "templateType": "individual"}
        answer = self._client.look(
            f"/loans/template?{urlencode(query)}", purpose="loan_template", subject=str(product_id)
        )
        if not answer.ok or not isinstance(answer.body, dict):
            raise LookUpError("loan_template", answer)
        template = {name: value for name, value in answer.body.items() if name not in _PERSONAL}
        self._conn.execute(_KEEP, (product_id, Jsonb(template, dumps=exact_json.dumps)))
        return template
