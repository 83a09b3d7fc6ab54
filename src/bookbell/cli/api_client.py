"""A small client of bookbell's own HTTP API, for commands. Standard library only."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TIMEOUT_S = 30
_BOUNDARY = "bookbell-form-boundary-7MA4YWxk"


class ApiError(Exception):
    """The service refused a request; the message is its own."""


class ApiClient:
    """Calls of one caller. token: bearer token, None for calls that need none."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self.base_url = base_url
        self.token = token

    def signed_in(self, client_id: str, client_secret: str) -> "ApiClient":
        """A client with a token of this account."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        body = urllib.parse.urlencode(form).encode()
        answer = self._call("POST", "/oauth/token", body, "application/x-www-form-urlencoded")
        return ApiClient(self.base_url, str(answer["access_token"]))

    def get(self, path: str, **query: Any) -> Any:
        """The `response` of a GET."""
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self._call("GET", path + asked, None, None)["response"]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The `response` of a POST with a JSON body, or the whole answer where there is no envelope."""
        answer = self._call("POST", path, json.dumps(body).encode(), "application/json")
        return answer.get("response", answer)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """The `response` of a PUT with a JSON body."""
        return self._call("PUT", path, json.dumps(body).encode(), "application/json")["response"]

    def delete(self, path: str) -> Any:
        """The `response` of a DELETE."""
        return self._call("DELETE", path, None, None)["response"]

    def upload(self, path: str, fields: dict[str, str], name: str, content: bytes) -> Any:
        """The `response` of an upload of one file."""
        parts = [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        ]
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="upload"; filename="{name}"\r\n\r\n'
        body = b"".join([*parts, head.encode(), content, f"\r\n--{_BOUNDARY}--\r\n".encode()])
        return self._call("POST", path, body, f"multipart/form-data; boundary={_BOUNDARY}")["response"]

    def _call(self, method: str, path: str, body: bytes | None, content_type: str | None) -> Any:
        request = urllib.request.Request(self.base_url + path, data=body, method=method)  # noqa: S310 - our own service
        if content_type is not None:
            request.add_header("Content-Type", content_type)
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(f"{method} {path} was answered {error.code}: {error.read().decode()[:500]}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(f"{method} {path} failed: {error}") from error
