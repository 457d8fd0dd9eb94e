"""The way to Fineract: everything about the connection comes from the Airflow connection `turno_fineract`.

Connection type http. Host: the full base, such as `https://fineract.example:8443/fineract-provider/api/v1`; login and
password: a Fineract user; extra: `tenant` (default `default`), `ca_bundle` (a file with the server's CA),
`connect_timeout` and `read_timeout` in seconds.
"""

from typing import Any

from airflow.providers.http.hooks.http import HttpHook
from requests import Session

from turno_lms.fineract.audit import AuditSink
from turno_lms.fineract.client import FineractClient, Timeouts

FINERACT_CONN_ID = "turno_fineract"
TENANT_HEADER = "Fineract-Platform-TenantId"
_OWN_EXTRAS = ("tenant", "ca_bundle", "connect_timeout", "read_timeout")


class FineractHook(HttpHook):
    """An HttpHook that speaks to one Fineract tenant and gives out clients for it."""

    hook_name = "Fineract"

    def __init__(self, conn_id: str = FINERACT_CONN_ID):
        super().__init__(http_conn_id=conn_id)
        self._timeouts = Timeouts()

    def _configure_session_from_extra(
        self, session: Session, connection: Any, extra_options: dict[str, Any]
    ) -> Session:
        """Apply our extras. The provider sends every extra that it does not know as a header: ours are taken out."""
        session = super()._configure_session_from_extra(session, connection, extra_options)
        for key in _OWN_EXTRAS:
            session.headers.pop(key, None)
        extra = connection.extra_dejson
        session.headers[TENANT_HEADER] = extra.get("tenant", "default")
        session.verify = extra.get("ca_bundle") or session.verify
        self._timeouts = Timeouts(
            connect=float(extra.get("connect_timeout", Timeouts.connect)),
            read=float(extra.get("read_timeout", Timeouts.read)),
        )
        return session

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> Session:
        """A session with the credentials, the tenant header and the CA bundle of the connection.

        Proxies and netrc of the environment are left out: what reaches Fineract is what the connection says.
        """
        options = {"trust_env": False, **(extra_options or {})}
        session: Session = super().get_conn({"Accept": "application/json", **(headers or {})}, options)
        return session

    def client(self, audit: AuditSink) -> FineractClient:
        """A client with its own keep-alive session, for one thread."""
        session = self.get_conn()
        return FineractClient(self.base_url, session, audit, self._timeouts)
