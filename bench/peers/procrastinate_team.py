"""What a Python team writes on PostgreSQL: a procrastinate task that posts with httpx.

Usage: python procrastinate_team.py schema | send URL COUNT | work CONCURRENCY   (needs BENCH_POSTGRESQL, a connection
string) The event is the job's argument, so acceptance is durable; no isolation, no attempt history, no guard.
"""

import asyncio
import hashlib
import hmac
import os
import sys
import time

import httpx
import procrastinate

SECRET = b"bench-secret-of-32-characters-00"
BODY = b'{"status":"VERIFICATION_COMPLETE","uploaded_doc_pk":88100231,"book_pk":40120077,"pad":"' + b"x" * 400 + b'"}'

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ.get("BENCH_POSTGRESQL", "")))
client: list[httpx.AsyncClient] = []


@app.task(name="deliver", retry=procrastinate.RetryStrategy(max_attempts=8, wait=5))
async def deliver(url: str, request_id: str, body: str) -> None:
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
    answer = await client[0].post(url, content=raw, headers=headers, timeout=15)
    answer.raise_for_status()


async def main(command: str, arguments: list[str]) -> None:
    """Run one of the commands."""
    async with app.open_async():
        if command == "schema":
            await app.schema_manager.apply_schema_async()
        elif command == "send":
            url, count = arguments[0], int(arguments[1])
            for start in range(0, count, 500):
                jobs = [
                    {"url": url, "request_id": f"{number:036d}", "body": BODY.decode()}
                    for number in range(start, min(count, start + 500))
                ]
                await deliver.batch_defer_async(*jobs)
        else:
            async with httpx.AsyncClient() as made:
                client.append(made)
                print("ready", flush=True)
                await app.run_worker_async(concurrency=int(arguments[0]), wait=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
