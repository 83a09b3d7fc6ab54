"""What a Python team writes first: a Celery task on Redis that posts with requests and retries on failure.

Usage: python celery_team.py send URL COUNT   (needs a Redis at BENCH_REDIS, default redis://127.0.0.1:6390/0)
The worker: celery -A celery_team worker --pool prefork --concurrency 8
No signature schemes, no ledger, no isolation, no durable acceptance: a lower bound for what such a system costs.
"""

import hashlib
import hmac
import os
import sys
import time

import requests
from celery import Celery

REDIS = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6390/0")
SECRET = b"bench-secret-of-32-characters-00"
BODY = b'{"status":"VERIFICATION_COMPLETE","uploaded_doc_pk":88100231,"book_pk":40120077,"pad":"' + b"x" * 400 + b'"}'

app = Celery("celery_team", broker=REDIS, backend=None)
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=16)
session = requests.Session()


@app.task(bind=True, max_retries=8)
def deliver(task: object, url: str, request_id: str, body: str) -> None:
    """Post one event."""
    raw = body.encode()
    now = str(int(time.time()))
    signature = hmac.digest(SECRET, f"{now}.{request_id}.".encode() + raw, hashlib.sha256).hex()
    headers = {
        "Content-Type": "application/json",
        "Webhook-Request-Id": request_id,
        "Webhook-Timestamp": now,
        "Webhook-Signature": signature,
    }
    try:
        session.post(url, data=raw, headers=headers, timeout=15, allow_redirects=False).raise_for_status()
    except requests.RequestException as error:
        raise task.retry(exc=error, countdown=5) from error  # type: ignore[attr-defined]


def send(url: str, count: int) -> None:
    """Put that many deliveries into the queue."""
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            deliver.apply_async((url, f"{number:036d}", BODY.decode()), producer=producer)


if __name__ == "__main__":
    send(sys.argv[2], int(sys.argv[3]))
