"""How people log in: passwords in Airflow's database, or single sign-on with TURNO_OIDC_ISSUER set (docs/access.md)."""

import os

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask_appbuilder.const import AUTH_DB, AUTH_OAUTH

from turno_lms.orchestration.access_commands import ACCOUNTS

WTF_CSRF_ENABLED = True
AUTH_USER_REGISTRATION = False
AUTH_TYPE = AUTH_DB
AUTH_ROLES_MAPPING = {
    **{f"turno-{role}": [role] for role in ("operations", "finance", "engineer", "viewer")},
    "turno-admin": ["Admin"],
}


class SingleSignOn(FabAirflowSecurityManagerOverride):
    """Reads a person's name and groups from the claims of any OpenID Connect provider."""

    def get_oauth_user_info(self, provider, resp):  # noqa: ARG002  (FAB's signature)
        """The person behind a login: FAB's fields, from the token that authlib has verified.

        Nobody without a name, nor with that of a program's account, which the login would take over.
        """
        claims = resp.get("userinfo") or {}
        name = claims.get("preferred_username")
        if not name or name in ACCOUNTS:
            return {}
        return {
            "username": name,
            "email": claims.get("email", ""),
            "first_name": claims.get("given_name", ""),
            "last_name": claims.get("family_name", ""),
            "role_keys": claims.get("groups", []),
        }


if ISSUER := os.environ.get("TURNO_OIDC_ISSUER", "").rstrip("/"):
    AUTH_TYPE = AUTH_OAUTH
    AUTH_USER_REGISTRATION = True
    AUTH_USER_REGISTRATION_ROLE = "Public"
    AUTH_ROLES_SYNC_AT_LOGIN = True
    SECURITY_MANAGER_CLASS = SingleSignOn
    OAUTH_PROVIDERS = [
        {
            "name": "sso",
            "icon": "fa-key",
            "token_key": "access_token",
            "remote_app": {
                "client_id": os.environ["TURNO_OIDC_CLIENT_ID"],
                "client_secret": os.environ["TURNO_OIDC_CLIENT_SECRET"],
                "server_metadata_url": f"{ISSUER}/.well-known/openid-configuration",
                "client_kwargs": {"scope": "openid email profile groups"},
            },
        }
    ]
