"""Ids in requests: the letters of a UUID may be of either case (RFC 9562, section 4), and an empty one is none."""

import asyncio
from typing import Any

import pytest

from in_process import Opened, Peopled, file_of, opened

WEBHOOK = "/v1/account/settings/webhook"
PROCESSING = {"status": "PROCESSING"}


async def ask(app: Opened, who: str, line: str, **more: Any) -> Any:
    """The JSON of a good answer; None of another kind."""
    method, path = line.split()
    answer = await app.client.request(method, path, headers=app.credentials(who), **more)
    assert answer.status_code in (200, 202), (line, answer.text)
    return answer.json() if answer.headers["content-type"] == "application/json" else None


async def made(app: Opened) -> dict[str, str]:
    """Ids of one of each thing that clients and the pipeline name."""
    book = (await ask(app, "manager", "POST /v1/book/add", json={"name": "Loan 2210"}))["response"]
    form = {"book_uuid": book["uuid"]}
    files = {"upload": file_of("pdf")}
    document = await ask(app, "manager", "POST /v1/book/upload", data=form, files=files)
    mixed = await ask(app, "manager", "POST /v1/book/upload/mixed", data=form, files=files)
    request = await ask(app, "manager", "POST /v1/book/analytics/async/request", json={"pk": book["pk"]})
    job = await ask(app, "manager", f"GET /v2/book/{book['uuid']}/summary?async=true")
    wanted = {"webhook": {"url": "https://hooks.example.net/a"}, "event_names": ["document.detect.signal_found"]}
    webhook = await ask(app, "manager", f"POST {WEBHOOK}", json=wanted)
    return {
        "$book": book["uuid"],
        "$document": document["response"]["uploaded_docs"][0]["uuid"],
        "$mixed": mixed["response"]["mixed_uploaded_docs"][0]["uuid"],
        "$request": request["response"]["analytics_request_id"],
        "$job": job["job_id"],
        "$webhook": webhook["response"]["uuid"],
    }


@pytest.mark.parametrize("is_upper", [False, True])
def test_the_letters_of_an_id_may_be_of_either_case(peopled_sqlite: Peopled, *, is_upper: bool) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            ids = {name: id_.upper() if is_upper else id_ for name, id_ in (await made(app)).items()}
            found = "document.detect.signal_found"
            reports = [{"subject": "document", "uuid": ids["$document"], "status": "PROCESSING"}]
            files = {"upload": file_of("pdf salt=another")}
            await ask(app, "manager", f"GET /v1/book/status?book_uuid={ids['$book']}")
            await ask(app, "manager", f"GET /v1/book/analytics/async/result?analytics_request_id={ids['$request']}")
            await ask(app, "manager", f"GET /v1/document/mixed/status?mixed_doc_uuid={ids['$mixed']}")
            await ask(app, "manager", f"GET /v1/deliveries?webhook_uuid={ids['$webhook']}")
            await ask(app, "manager", f"GET {WEBHOOK}/{ids['$webhook']}/ledger")
            await ask(app, "manager", f"GET /v2/analytics/jobs/{ids['$job']}")
            await ask(app, "manager", f"GET /v2/document/download?doc_uuid={ids['$document']}")
            await ask(app, "manager", f"POST /v2/book/{ids['$book']}/document/W2", files=files)
            await ask(app, "pipeline", f"POST /platform/v1/mixed-documents/{ids['$mixed']}/status", json=PROCESSING)
            await ask(app, "pipeline", "POST /platform/v1/reports", json={"reports": reports})
            event = {"type": found, "document_uuid": ids["$document"]}
            told = await ask(app, "pipeline", "POST /platform/v1/events", json=event)
            assert told["response"]["matched_count"] == 1
            (delivery,) = (await ask(app, "manager", "GET /v1/deliveries?level=org"))["response"]["deliveries"]
            id_ = delivery["id"].upper() if is_upper else delivery["id"]
            await ask(app, "manager", f"GET /v1/deliveries/{id_}")
            after = told["response"]["event_id"].upper() if is_upper else told["response"]["event_id"]
            await ask(app, "manager", f"GET /v1/events?level=org&after={after}")
            cancelled = await ask(app, "manager", "POST /v1/document/cancel", json={"doc_uuid": ids["$document"]})
            assert cancelled["response"]["document_status"] == "REJECTED"

    asyncio.run(run())


def test_an_empty_id_beside_another_is_none(peopled_sqlite: Peopled) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            ids = await made(app)
            form = {"doc_uuid": ids["$document"], "doc_pk": "", "mixed_doc_uuid": ""}
            await ask(app, "manager", "POST /v1/document/cancel", data=form)
            (document,) = (await ask(app, "manager", "GET /v1/book/status?book_uuid=" + ids["$book"]))["response"][
                "docs"
            ]
            form = {"doc_uuid": "", "doc_id": str(document["pk"])}
            await ask(app, "manager", "POST /v1/document/remove", data=form)

    asyncio.run(run())


def test_analytics_are_named_by_a_path_that_may_end_in_a_slash(peopled_sqlite: Peopled) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            uuid = (await ask(app, "one", "POST /v1/book/add", json={"name": "Loan 2210"}))["response"]["uuid"]
            report = {"status": "DONE", "results": {"summary": {"txn_count": 324}}}
            await ask(app, "pipeline", f"POST /platform/v1/books/{uuid}/analytics", json=report)
            assert await ask(app, "one", f"GET /v2/book/{uuid}/summary/") == {"txn_count": 324}
            job = await ask(app, "one", f"GET /v2/book/{uuid}/summary/?async=true")
            assert (await ask(app, "one", f"GET /v2/analytics/jobs/{job['job_id']}"))["status"] == "DONE"

    asyncio.run(run())


def test_a_list_goes_on_however_the_letters_of_its_cursor_are_spelled(peopled_sqlite: Peopled) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            ids = await made(app)
            event = {"type": "document.detect.signal_found", "document_uuid": ids["$document"]}
            replay = {"since": "1h", "webhook_uuid": ids["$webhook"]}
            for _ in range(2):
                await ask(app, "pipeline", "POST /platform/v1/events", json=event)
                await ask(app, "manager", "POST /v1/replays", json=replay)
            for kind in ("events", "deliveries", "replays"):
                listing = f"GET /v1/{kind}?level=org&limit=1"
                newest = (await ask(app, "manager", listing))["response"]
                for cursor in (newest["next"], newest["next"].upper()):
                    older = (await ask(app, "manager", f"{listing}&before={cursor}"))["response"]
                    assert older[kind], (kind, cursor)
                    assert older[kind][0]["id"] < newest[kind][0]["id"]

    asyncio.run(run())
