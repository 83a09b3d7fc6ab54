"""Document status reports through the full lifecycle, each as a request of its own, with their events delivered."""

import json
import tempfile
from pathlib import Path

from bookbell.bench.drains import await_recorded
from bookbell.bench.figures import Figures, latency_fields
from bookbell.bench.processes import OPERATOR, PIPELINE, Service, Sink, cores
from bookbell.bench.publishing import LIMIT_S, SETTINGS, Publish, load
from bookbell.bench.seeding import SECRET
from bookbell.cli.api_client import ApiClient
from bookbell.cli.sandbox.files import pdf

STEPS = ("GROOMING", "VERIFYING", "VERIFICATION_COMPLETE")
DOCUMENTS_PER_BOOK = 50


def run_reports(document_count: int) -> Figures:
    """Report that many documents through three states each; DOC_VERIFIED and BOOK_VERIFIED are delivered."""
    measured, other = cores()
    with tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name, Sink(other) as sink:
        folder = Path(name)
        with Service(folder, measured, rate_limit_per_s="0") as service:
            uuids = _documents(f"http://127.0.0.1:{service.port}", sink.port, document_count)
            expected = sink.count() + len(uuids) + -(-len(uuids) // DOCUMENTS_PER_BOOK)
            service.restart_count()
            answered: list[float] = []
            for step in STEPS:
                body = json.dumps({"status": step})
                requests = [(f"/platform/v1/documents/{uuid}/status", body) for uuid in uuids]
                told = load(service, requests, Publish(count=len(requests), connections=16))
                answered += told["latencies_ms"]
            sink.wait_for(expected, LIMIT_S, service)
            await_recorded(service.database_url, [service])
            used, asked = service.counted_s(), service.asked()
            report_count = len(uuids) * len(STEPS)
            seen = sink.mark()
            return Figures(
                count=report_count,
                cpu_us=used / report_count * 1e6,
                memory_mb=service.memory_mb(),
                statements=asked[0] / report_count,
                syncs=asked[1] / report_count,
                lost=expected - seen["count"],
                repeated=seen["repeated"],
                extra={"answer_p99_ms": latency_fields(sorted(answered))["p99_ms"] or 0},
            )


def _documents(base: str, port: int, count: int) -> list[str]:
    """Classified documents, cut out of mixed ones, in books of an account whose webhook is registered."""
    operator, pipeline = ApiClient(base, OPERATOR), ApiClient(base, PIPELINE)
    organization = operator.post("/platform/v1/organizations", {"name": "bench"})["id"]
    account = operator.post(f"/platform/v1/organizations/{organization}/accounts", {"name": "bench"})
    client = ApiClient(base).signed_in(account["client_id"], account["client_secret"])
    webhook = {"webhook_endpoint": f"http://127.0.0.1:{port}/h0", "event": ["DOC_VERIFIED", "BOOK_VERIFIED"]}
    client.post(f"{SETTINGS}/update/webhook_endpoint", webhook)
    client.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": SECRET})
    uuids: list[str] = []
    content = pdf(1, "mixed")
    for number in range(-(-count // DOCUMENTS_PER_BOOK)):
        book = client.post("/v1/book/add", {"name": f"book {number}"})
        uploaded = client.upload("/v1/book/upload/mixed", {"pk": str(book["pk"])}, "mixed.pdf", content)
        mixed = uploaded["mixed_uploaded_docs"][0]["uuid"]
        parts: list[dict[str, str]] = [{} for _ in range(min(DOCUMENTS_PER_BOOK, count - len(uuids)))]
        made = pipeline.post(f"/platform/v1/mixed-documents/{mixed}/classified", {"documents": parts})
        uuids += [each["uuid"] for each in made["documents"]]
    return uuids
