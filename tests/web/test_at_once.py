"""The same request many times at once: one is carried out, the others are refused as if they had come later."""

import asyncio
from typing import Any

import pytest

from in_process import Opened, Peopled, opened

ORGANIZATIONS = "/platform/v1/organizations"
AT_ONCE = 12


def answers_at_once(peopled: Peopled, who: str, path: str, body: dict[str, Any]) -> list[tuple[int, int | None]]:
    """Status and code of each of many equal requests, in ascending order."""

    async def ask(app: Opened) -> tuple[int, int | None]:
        answer = await app.client.post(path, json=body, headers=app.credentials(who))
        return answer.status_code, answer.json().get("code")

    async def run() -> list[tuple[int, int | None]]:
        async with opened(peopled) as app:
            return sorted(await asyncio.gather(*(ask(app) for _ in range(AT_ONCE))))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("who", "path", "body", "refusal"),
    [
        ("operator", ORGANIZATIONS, {"name": "Third"}, (400, 1100)),
        ("operator", f"{ORGANIZATIONS}/$/accounts", {"name": "x", "email": "x@lender.example"}, (400, 1100)),
        ("one", "/v1/book/add", {"name": "Loan 2210"}, (400, 1402)),
    ],
)
def test_a_name_is_given_once(
    peopled: Peopled, who: str, path: str, body: dict[str, Any], refusal: tuple[int, int]
) -> None:
    path = path.replace("$", peopled.cast["one"].account.organization_id)
    assert answers_at_once(peopled, who, path, body) == [(200, None), *[refusal] * (AT_ONCE - 1)]


def test_a_first_webhook_is_registered_once(peopled: Peopled) -> None:
    body = {"webhook_endpoint": "https://hooks.example.net/a", "event": ["DOC_VERIFIED"]}
    path = "/v1/account/settings/update/webhook_endpoint"
    assert answers_at_once(peopled, "one", path, body) == [(200, None)] * AT_ONCE


def test_two_changes_of_an_organization_at_once_both_count(peopled: Peopled) -> None:
    path = f"{ORGANIZATIONS}/{peopled.cast['one'].account.organization_id}"

    async def run() -> None:
        async with opened(peopled) as app:
            as_operator = app.credentials("operator")
            for number in range(6):
                changes: list[dict[str, Any]] = [{"name": f"Lender {number}"}, {"tasks": ["DETECT"]}]
                await asyncio.gather(
                    *(app.client.put(path, json=change, headers=as_operator) for change in changes),
                )
                listed = await app.client.get(ORGANIZATIONS, headers=as_operator)
                (found,) = [each for each in listed.json()["response"]["organizations"] if path.endswith(each["id"])]
                assert (found["name"], found["tasks"]) == (f"Lender {number}", ["DETECT"])
                await app.client.put(path, json={"tasks": ["CAPTURE"]}, headers=as_operator)

    asyncio.run(run())
