"""Plays a scenario: each step on the real service, and what came of it as a line of the verdict."""

import threading
from dataclasses import dataclass, field
from typing import Any, assert_never

from bookbell.cli.api_client import ApiClient, ApiError
from bookbell.cli.sandbox import files
from bookbell.cli.sandbox import scenario as script
from bookbell.cli.sandbox.forgery import Forger, Hook
from bookbell.cli.sandbox.keys import BY_NAME, PIPELINE_TOKEN, Key
from bookbell.cli.sandbox.receiver import Receiver
from bookbell.cli.sandbox.relay import Fault, Relay
from bookbell.cli.sandbox.watching import Watch
from bookbell.core import target
from bookbell.core.errors import BookbellError

SETTINGS = "/v1/account/settings"
POLICY = {"preset": "ocrolus", "schedule_ms": [200, 200, 400, 400, 800, 800], "timeout_ms_total": 5_000}
CALL_PAUSE_S = 0.055  # the API's rate limit is 20 calls a second


class StepFailedError(Exception):
    """A step did not come to what it should; the message says what happened instead."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one step."""

    line: int
    step: str
    is_ok: bool
    message: str
    took_ms: int


@dataclass(slots=True)
class Player:
    """Plays on a running service. hooks and books: what the story has made so far, by name."""

    base_url: str
    relay: Relay
    relay_port: int
    receiver: Receiver
    watch: Watch
    held: threading.Event
    hooks: dict[str, Hook] = field(default_factory=dict)
    books: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploaded: dict[str, str] = field(default_factory=dict)
    clients: dict[str, ApiClient] = field(default_factory=dict)
    pause: threading.Event = field(default_factory=threading.Event)

    def play(self, scenario: script.Scenario) -> list[Outcome]:
        """Every step in order. An unmet expectation does not end the story; a step that cannot be done does.

        What an interruption kept a step from is not held against the receiver: such a step counts as not played.
        """
        clock, outcomes = self.relay.ambient, list[Outcome]()
        deadline = clock.monotonic_ms() + scenario.time_limit_s * 1000
        for line in scenario.lines:
            started = clock.monotonic_ms()
            is_ok, is_over = True, False
            try:
                self.watch.deadline_ms = deadline
                if started > deadline:
                    raise StepFailedError(f"the scenario's time limit of {scenario.time_limit_s} s has passed")
                message = self._do(line.step)
            except StepFailedError as error:
                message, is_ok, is_over = str(error), False, started > deadline
            except (ApiError, BookbellError) as error:
                message, is_ok, is_over = f"cannot be done: {error}", False, True
            if not is_ok and self.relay.closing.is_set():
                break
            outcomes.append(Outcome(line.number, line.name, is_ok, message, clock.monotonic_ms() - started))
            if is_over or self.relay.closing.is_set():
                break
        return outcomes

    def _do(self, step: script.Step) -> str:
        match step:
            case script.Register():
                return self._register(step)
            case script.AddBook():
                return self._add_book(step)
            case script.Upload():
                return self._upload(step)
            case script.Analytics():
                book = self._book(step.book)
                self._call(book["key"]).post("/v1/book/analytics/async/request", {"pk": book["pk"]})
                return f"of {step.book} are asked for"
            case script.Publish():
                return self._publish(step)
            case script.PlayFault():
                self.relay.faults.append(
                    Fault(step.kind, step.count, step.event, step.status, step.delay_ms, step.retry_after_s)
                )
                return f"{step.kind} for the next {step.count} requests of {step.event or 'any event'}"
            case script.Send():
                return self._send(step)
            case script.Expect():
                return self._judged(self.watch.expect(step))
            case script.ExpectOrder():
                return self._judged(self.watch.expect_order(step))
            case script.Settle():
                return self._judged(self.watch.settle(step))
            case _:
                return self._do_more(step)

    def _do_more(self, step: script.Step) -> str:
        match step:
            case script.Hold():
                self.held.set()
                return "the pipeline rests"
            case script.Release():
                self.held.clear()
                return "the pipeline works"
            case script.RotateSecret():
                return self._rotate(step)
            case script.TestCall():
                return self._test(step)
            case script.Deregister():
                self._call(step.key).post(f"{SETTINGS}/update/webhook_endpoint", {"event": []})
                return f"the webhook of {step.key}"
            case script.Pause():
                self.relay.closing.wait(step.ms / 1000)
                return f"{step.ms} ms"
            case _:
                raise AssertionError(f"no such step: {step}")

    # -- what the steps do ---------------------------------------------------------------------------------------

    def _register(self, step: script.Register) -> str:
        receiver, url = self.relay.target, f"http://127.0.0.1:{self.relay_port}/{step.key}"
        if receiver.username is not None:
            url = target.with_credentials(url, receiver.username, receiver.password or "")
        secret = self.receiver.secret if step.is_signed else None
        self.hooks[step.key] = Hook(step.key, secret)
        register = self._register_org if step.level == "org" else self._register_account
        return register(step, url, secret)

    def _register_account(self, step: script.Register, url: str, secret: str | None) -> str:
        wanted = {"webhook_endpoint": url, "event": list(step.events)}
        made = self._call(step.key).post(f"{SETTINGS}/update/webhook_endpoint", wanted)
        if secret is not None:
            self._call(step.key).post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": secret})
        self._call(step.key).put(f"{SETTINGS}/webhook/policy", {**POLICY, **step.policy})
        return f"key {step.key} for {', '.join(made['events'])}"

    def _register_org(self, step: script.Register, url: str, secret: str | None) -> str:
        wanted = {"webhook": {"url": url}, "event_names": list(step.events)}
        made = self._call(step.key).post(f"{SETTINGS}/webhook", wanted)
        place = f"{SETTINGS}/webhook/{made['uuid']}"
        if secret is not None:
            self._call(step.key).post(f"{place}/rotate-secret", {"secret_key": secret})
        self._call(step.key).put(f"{place}/policy", {**POLICY, **step.policy})
        return f"organization, by key {step.key}, for {len(step.events)} events"

    def _add_book(self, step: script.AddBook) -> str:
        book = self._call(step.key).post("/v1/book/add", {"name": step.name})
        self.books[step.name] = {**book, "key": step.key}
        return f"{step.name} is book {book['pk']}"

    def _upload(self, step: script.Upload) -> str:
        book = self._book(step.book)
        for number in range(step.count):
            name = step.name if step.count == 1 else _numbered(step.name, number)
            self._upload_one(step, book, name)
        if step.kind == "images" and not step.is_open:
            done = {"pk": book["pk"]} | ({} if step.form_type is None else {"form_type": step.form_type})
            self._call(book["key"]).post("/v1/book/upload/image/done", done)
        return f"{step.count} × {step.name} to {step.book}"

    def _upload_one(self, step: script.Upload, book: dict[str, Any], name: str) -> None:
        fields, title = {"pk": str(book["pk"])}, f"{step.book}/{name}"
        match step.kind:
            case "pdf":
                if step.form_type is not None:
                    fields["form_type"] = step.form_type
                path, content = "/v1/book/upload", files.pdf(step.pages, title)
            case "mixed":
                path, content = "/v1/book/upload/mixed", files.pdf(step.pages, title)
            case "images":
                path, content = "/v1/book/upload/image", files.png(title)
            case _:
                assert_never(step.kind)
        answered = self._call(book["key"]).upload(path, fields, name, content)
        if answered.get("status", 200) != 200:
            raise StepFailedError(f"the upload was refused: {answered['message'].strip()}")
        for made in answered.get("uploaded_docs", []):
            self.uploaded[name] = made["uuid"]
        if step.kind == "images":
            self.uploaded[step.name] = self.watch.group_uuid(answered["image_group_pk"])

    def _publish(self, step: script.Publish) -> str:
        body = {"type": step.event, "status": step.status, "name": step.name}
        if step.book is not None:
            body["book_uuid"] = self._book(step.book)["uuid"]
        if step.document is not None:
            body["document_uuid"] = self._uploaded(step.document)
        if step.images is not None:
            body["image_group_uuid"] = self._uploaded(step.images)
        if step.organization:
            body["organization_id"] = self.watch.organization_id
        given = {name: value for name, value in body.items() if value is not None}
        ApiClient(self.base_url, PIPELINE_TOKEN).post("/platform/v1/events", given)
        return f"{step.event} of {step.document or step.images or step.book or 'the organization'}"

    def _send(self, step: script.Send) -> str:
        hook = self.hooks.get(step.key)
        if hook is None:
            raise StepFailedError(f"key {step.key} has no webhook yet: put a `register` step before")
        if step.mistake == "wrong_credentials" and self.relay.target.username is None:
            return f"{step.event}, wrong credentials: left out, the receiver's URL carries none"
        forger = Forger(self.relay, hook)
        try:
            sent = forger.send(step)
        except LookupError as error:
            raise StepFailedError(str(error)) from error
        if not sent.is_as_wanted:
            raise StepFailedError(f"{sent.what}: {sent.came}, {sent.wanted} was expected")
        return f"{sent.what}: {sent.came}"

    def _rotate(self, step: script.RotateSecret) -> str:
        self._call(step.key).post(f"{SETTINGS}/webhook/rotate-secret", {"secret_key": self.receiver.next_secret})
        self.hooks[step.key].secret = self.receiver.next_secret
        return f"key {step.key} signs with the next secret"

    def _test(self, step: script.TestCall) -> str:
        answered = self._call(step.key).get(f"{SETTINGS}/test_webhook_endpoint")
        if answered.get("resp_code") != step.status:
            raise StepFailedError(f"the test call: {answered['message']}; {step.status} was expected")
        return f"the receiver answered {step.status}"

    # -- what they share -----------------------------------------------------------------------------------------

    def _judged(self, found: tuple[bool, str]) -> str:
        is_met, message = found
        if not is_met:
            raise StepFailedError(message)
        return message

    def _book(self, name: str) -> dict[str, Any]:
        if name not in self.books:
            raise StepFailedError(f"there is no book {name} yet: put a `book` step before")
        return self.books[name]

    def _uploaded(self, name: str) -> str:
        """The uuid of what was uploaded under this name, of the group where it was images."""
        if name not in self.uploaded:
            raise StepFailedError(f"no {name} was uploaded before, or it is no document of its own")
        return self.uploaded[name]

    def _call(self, name: str) -> ApiClient:
        """The client of a key, signed in; calls are spaced out."""
        self.pause.wait(CALL_PAUSE_S)
        if name not in self.clients:
            key: Key = BY_NAME[name]
            self.clients[name] = ApiClient(self.base_url).signed_in(key.client_id, key.client_secret)
        return self.clients[name]


def _numbered(name: str, number: int) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}-{number + 1}.{ending}" if dot else f"{name}-{number + 1}"
