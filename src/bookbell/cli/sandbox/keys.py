"""The sandbox's keys: the same at every start, so that they can be pasted into a client once.

They are printed in the documentation, so they are good for nothing but a sandbox; `opening` sees to it that they never
get into another database.
"""

from dataclasses import dataclass
from typing import Any

from bookbell.core.model import Role

MARKER = "sandbox.json"
"""The file that makes a folder a sandbox's."""

ORGANIZATION = "Sandbox Lending"
OPERATOR_TOKEN = "sandbox-operator-token"  # noqa: S105 - known to everybody on purpose
PIPELINE_TOKEN = "sandbox-pipeline-token"  # noqa: S105 - likewise


@dataclass(frozen=True, slots=True)
class Key:
    """One API account of the sandbox. email works as a legacy login."""

    name: str
    role: Role
    client_id: str
    client_secret: str
    email: str

    def as_credentials(self) -> dict[str, str]:
        """The form in which clients read credentials from a file (contract 17, section 11)."""
        return {"clientId": self.client_id, "clientSecret": self.client_secret}


def _key(name: str, role: Role) -> Key:
    return Key(
        name, role, f"sandbox-{name}", f"sandbox-secret-of-{name}-never-for-production", f"{name}@sandbox.invalid"
    )


KEYS = (_key("one", Role.STANDARD), _key("two", Role.STANDARD), _key("manager", Role.MANAGER))
BY_NAME = {key.name: key for key in KEYS}


def as_json(base_url: str, folder: str) -> dict[str, Any]:
    """All one needs to use the sandbox, for machines."""
    return {
        "base_url": base_url,
        "token_url": f"{base_url}/oauth/token",
        "organization": ORGANIZATION,
        "keys": [
            {"name": key.name, "role": key.role.value, "email": key.email, **key.as_credentials()} for key in KEYS
        ],
        "operator_token": OPERATOR_TOKEN,
        "pipeline_token": PIPELINE_TOKEN,
        "data_dir": folder,
    }


def as_env(base_url: str) -> list[str]:
    """Lines for a .env file: key one under the names that clients of this API commonly read, then everything."""
    one = KEYS[0]
    lines = [
        f"OCROLUS_CLIENT_ID={one.client_id}",
        f"OCROLUS_CLIENT_SECRET={one.client_secret}",
        f"SANDBOX_BASE_URL={base_url}",
        f"SANDBOX_TOKEN_URL={base_url}/oauth/token",
    ]
    for key in KEYS:
        lines.append(f"SANDBOX_{key.name.upper()}_CLIENT_ID={key.client_id}")
        lines.append(f"SANDBOX_{key.name.upper()}_CLIENT_SECRET={key.client_secret}")
    return [*lines, f"SANDBOX_OPERATOR_TOKEN={OPERATOR_TOKEN}", f"SANDBOX_PIPELINE_TOKEN={PIPELINE_TOKEN}"]
