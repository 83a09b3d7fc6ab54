"""The demo: books of a lender ring its webhooks, all through the real API and real sockets.

It fails, with the reason, if anything that must arrive does not, or if the ledger does not balance.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console

from bookbell.ambient import RealAmbient
from bookbell.cli.api_client import ApiClient, ApiError
from bookbell.cli.demo_processes import DemoFailedError, Stage
from bookbell.cli.printing import program
from bookbell.cli.sandbox.files import pdf, png

WAIT_S = 12.0
SETTINGS = "/v1/account/settings"
LEGACY = ["BOOK_VERIFIED", "DOC_VERIFIED", "IMAGE_GROUP_VERIFIED", "ANALYTICS_COMPLETED"]
POLICY = {"schedule_ms": [700, 700, 700, 1000, 1000, 2000, 2000, 4000], "jitter_ratio": 0.1}


@dataclass(frozen=True, slots=True)
class Key:
    """One API key of the demo."""

    name: str
    client_id: str
    client_secret: str
    api: ApiClient


def run_demo(*, is_kept: bool) -> int:
    """Play the demo. Gives the exit status: 0, or 1 after printing what went wrong."""
    console = Console(highlight=False, soft_wrap=True)
    started = RealAmbient().monotonic_ms()
    keys = {name: (f"{name}-user", secrets.token_urlsafe(9), secrets.token_urlsafe(24)) for name in ("one", "two")}
    console.print("Starting bookbell and a receiver, each a process of its own, on a temporary SQLite file ...")
    try:
        with Stage(keys) as stage:
            demo = _Demo(stage, keys, console)
            try:
                demo.play()
            except (DemoFailedError, ApiError) as error:
                raise DemoFailedError(f"{error}\nThe service's last words:\n{stage.service.last_words()}") from error
            seconds = (RealAmbient().monotonic_ms() - started) / 1000
            console.print(f"\n[bold green]Everything arrived and the ledger balances[/] ({seconds:.1f} s).")
            if is_kept:
                demo.keep()
            elif (status := stage.service.stop()) != 0:
                raise DemoFailedError(f"The service stopped with exit status {status}.")
    except DemoFailedError as error:
        console.print("\n[bold red]The demo failed:[/]")
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped")
    return 0


class _Demo:
    """The acts of the demo, in order."""

    def __init__(self, stage: Stage, keys: dict[str, tuple[str, str, str]], console: Console) -> None:
        self._stage = stage
        self._credentials = keys
        self._console = console
        self._base = ApiClient(stage.service.base_url)
        self._keys: list[Key] = []
        self._books: dict[int, str] = {}
        self._seen: list[dict[str, Any]] = []
        self._clock = RealAmbient()

    def play(self) -> None:
        """All acts. Raises: DemoFailedError, ApiError."""
        self._say(f"  service   {self._base.base_url}")
        self._say(
            f"  receiver  http://127.0.0.1:{self._stage.receiver.port}, demands credentials, verifies signatures"
        )
        self._register()
        self._work()
        self._outage()
        self._ledger()

    def keep(self) -> None:
        """Leave everything running and say how to go on."""
        base = self._stage.service.base_url
        one = self._keys[0]
        data = self._stage.service.environment["BOOKBELL_DATA_DIR"]
        self._say(f"\nThe service goes on at {base}, its receiver at http://127.0.0.1:{self._stage.receiver.port}.")
        for key in self._keys:
            self._say(f"  key {key.name}: client id {key.client_id}  secret {key.client_secret}")
        token = self._stage.service.command("tokens")["operator_token"]
        self._say(f"Every webhook in a browser: {base}/dashboard, with any user name and the password {token}")
        self._say("Three things to try in another terminal:")
        self._say(
            f"  TOKEN=$(curl -s {base}/oauth/token -u {one.client_id}:{one.client_secret}"
            " -d grant_type=client_credentials"
            " | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])')"
        )
        self._say(f'  curl -s {base}/v1/deliveries?limit=3 --oauth2-bearer "$TOKEN"')
        self._say(f"  BOOKBELL_DATA_DIR={data} {program()} deliveries list --account {one.client_id}")
        self._say("Ctrl-C ends it and removes its data.")
        self._stage.service.wait()

    # -- acts ----------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        self._title("Organization PennyMae gets two API keys, each with a webhook of its own")
        tokens = self._stage.service.command("tokens")
        operator = ApiClient(self._base.base_url, tokens["operator_token"])
        organization = operator.post("/platform/v1/organizations", {"name": "PennyMae"})
        events = {"one": [*LEGACY, "book.completed"], "two": ["document.upload_succeeded", "BOOK_VERIFIED"]}
        for name, (user, password, secret) in self._credentials.items():
            account = operator.post(f"/platform/v1/organizations/{organization['id']}/accounts", {"name": name})
            api = self._base.signed_in(account["client_id"], account["client_secret"])
            webhook = f"http://{user}:{password}@127.0.0.1:{self._stage.receiver.port}/{name}"
            wanted = {"webhook_endpoint": webhook, "event": events[name]}
            registered = api.post(f"{SETTINGS}/update/webhook_endpoint", wanted)
            api.post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": secret})
            api.put(f"{SETTINGS}/webhook/policy", POLICY)
            tested = api.get(f"{SETTINGS}/test_webhook_endpoint")
            self._say(f"  key {name}: {', '.join(registered['events'])}")
            self._say(f"    test: {tested.get('resp_code')} {tested['message']}")
            if tested.get("resp_code") != 200:
                raise DemoFailedError(f"The test notification of key {name} failed: {tested['message']}")
            self._keys.append(Key(name, account["client_id"], account["client_secret"], api))
            self._stage.next_seen(WAIT_S)

    def _work(self) -> None:
        self._title("Books are filled, the pipeline works, and the webhooks ring")
        one, two = self._keys
        book, other = self._add_book(one, "Loan 2210"), self._add_book(two, "Loan 3175")
        pk = {"pk": str(book)}
        # A slow one first keeps the book in work until all is uploaded; the simulator goes by the name.
        one.api.upload("/v1/book/upload", pk, "slow-statement.pdf", pdf(3, "march"))
        one.api.upload("/v1/book/upload", pk, "reject-unreadable.pdf", pdf(1, "blurred"))
        one.api.upload("/v1/book/upload/mixed", pk, "tax-forms-x3.pdf", pdf(6, "tax"))
        for number in range(2):
            one.api.upload("/v1/book/upload/image", pk, f"page-{number}.png", png(f"page {number}"))
        one.api.post("/v1/book/upload/image/done", {**pk, "form_type": "A_PAYSTUB"})
        one.api.post("/v1/book/analytics/async/request", {"pk": book})
        two.api.upload("/v1/book/upload", {"pk": str(other)}, "stubs.pdf", pdf(2, "stubs"))
        self._say("  Loan 2210 (key one): 2 PDFs, a mixed PDF, an image group, analytics; Loan 3175 (key two): 1 PDF")
        self._say("  ms: from the commit of what happened to its arrival at the receiver")
        expected = {
            ("one", "DOC_VERIFIED"): 6,
            ("one", "IMAGE_GROUP_VERIFIED"): 1,
            ("one", "ANALYTICS_COMPLETED"): 1,
            ("one", "BOOK_VERIFIED"): 1,
            ("one", "book.completed"): 1,
            ("two", "document.upload_succeeded"): 1,
            ("two", "BOOK_VERIFIED"): 1,
        }
        self._await_events(expected)
        reasons = {line["body"].get("rejection_reason") for line in self._seen} - {None}
        self._say(f"  the rejected document says why: {', '.join(sorted(reasons))}")

    def _outage(self) -> None:
        self._title("The receiver goes down; events wait")
        self._stage.receiver.take_down()
        one = self._keys[0]
        book = self._add_book(one, "Loan 4096")
        one.api.upload("/v1/book/upload/mixed", {"pk": str(book)}, "statements-x3.pdf", pdf(3, "statements"))
        waiting = self._poll(self._waiting, lambda found: len(found) >= 5)
        for delivery in waiting:
            detail = one.api.get(f"/v1/deliveries/{delivery['id']}")["attempts"][-1]["detail"]
            attempts = delivery["attempt_count"]
            self._say(
                f"  waiting  {delivery['event']:<24} {attempts} attempt{'s' if attempts != 1 else ' '}  "
                f"next at {delivery['next_attempt_at'][11:23]}  {detail}"
            )
        self._title("The receiver comes back; the backlog drains")
        self._stage.receiver.bring_back()
        before = len(self._seen)
        self._await_events({("one", "DOC_VERIFIED"): 9, ("one", "BOOK_VERIFIED"): 2, ("one", "book.completed"): 2})
        for key in self._keys:
            self._poll(partial(key.api.get, "/v1/deliveries", state="pending"), lambda found: not found["deliveries"])
        self._say(f"  {len(self._seen) - before} deliveries drained, none is waiting")

    def _ledger(self) -> None:
        self._title("The ledger")
        ledger = self._stage.service.command("audit")
        parts = ("delivered", "pending", "exhausted", "cancelled")
        self._say(f"  matched {ledger['matched']} = " + " + ".join(f"{name} {ledger[name]}" for name in parts))
        while len(received := self._received()) < ledger["delivered"] and (line := self._stage.next_seen(1.0)):
            self._see(line)
        if ledger["problems"]:
            raise DemoFailedError(" ".join(ledger["problems"]))
        if ledger["delivered"] != len(received) or ledger["delivered"] != ledger["matched"]:
            raise DemoFailedError(
                f"The receiver saw {len(received)} deliveries; the ledger says {json.dumps(ledger)}."
            )
        if repeated := len(self._seen) - len(received):
            self._say(f"  {repeated} arrived twice, told apart by the request id")

    # -- seeing --------------------------------------------------------------------------------------------------

    def _waiting(self) -> list[dict[str, Any]]:
        found = self._keys[0].api.get("/v1/deliveries", state="pending")["deliveries"]
        return [delivery for delivery in found if delivery["attempt_count"] > 0]

    def _await_events(self, expected: dict[tuple[str, str], int]) -> None:
        """Print events as they arrive until these counts, of the whole demo, are reached."""
        while missing := {each: count for each, count in expected.items() if self._count(*each) < count}:
            line = self._stage.next_seen(WAIT_S)
            if line is None:
                wanted = ", ".join(f"{name} of key {key}" for key, name in missing)
                raise DemoFailedError(f"Nothing has arrived for {WAIT_S:.0f} s, and these are missing: {wanted}.")
            self._see(line)

    def _see(self, line: dict[str, Any]) -> None:
        if "problem" in line:
            raise DemoFailedError(f"The receiver refused a request of key {line['key']}: {line['problem']}")
        self._seen.append(line)
        body = line["body"]
        book = self._books.get(body.get("book_pk"), "?")
        self._say(
            f"  [green]●[/] key {line['key']:<4} {_name(body):<26} {book:<10} {body.get('status'):<21} "
            f"{line['latency_ms']:>5} ms  signature and credentials right"
        )

    def _received(self) -> set[str]:
        return {line["request_id"] for line in self._seen}

    def _count(self, key: str, name: str) -> int:
        return sum(1 for line in self._seen if line["key"] == key and _name(line["body"]) == name)

    def _poll(self, look: Callable[[], Any], is_enough: Callable[[Any], bool]) -> Any:
        deadline = self._clock.monotonic_ms() + int(WAIT_S * 1000)
        while not is_enough(found := look()):
            if self._clock.monotonic_ms() > deadline:
                raise DemoFailedError(f"Waited {WAIT_S:.0f} s in vain; last seen: {json.dumps(found)[:500]}")
            line = self._stage.next_seen(0.05)
            if line is not None:
                self._see(line)
        return found

    def _add_book(self, key: Key, name: str) -> int:
        pk = int(key.api.post("/v1/book/add", {"name": name})["pk"])
        self._books[pk] = name
        return pk

    def _title(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/]")

    def _say(self, text: str) -> None:
        self._console.print(text)


def _name(body: dict[str, Any]) -> str:
    return str(body.get("event_name") or body.get("event"))
