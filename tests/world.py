"""An organization with accounts, webhooks and books in a real database, made through the actions."""

import itertools
from dataclasses import dataclass

from bookbell.actions import accounts, books, org_webhooks, reports, uploads, webhooks
from bookbell.actions.books import BookKey, NewBook
from bookbell.actions.reports import ClassifiedPart, ClassifiedReport, DocumentReport
from bookbell.actions.stamp import Published, Stamp
from bookbell.actions.uploads import Upload
from bookbell.core.model import (
    Account,
    Book,
    Document,
    DocumentSource,
    DocumentStatus,
    MixedDocument,
    Organization,
    Role,
)
from bookbell.store.database import Database
from bookbell.store.endpoints import Endpoint
from made_ids import uuid7_text

TERMS = org_webhooks.Terms(count_max=5, preset="standard")
START = 1_750_000_000_000
_numbers = itertools.count(1)


def new_id() -> str:
    """A fresh UUID version 7 whose order is that of its making."""
    return uuid7_text(START, 0, next(_numbers))


def new_md5() -> str:
    """The digest of content that is in no other file."""
    return f"{next(_numbers):032x}"


def stamp(at: int = START) -> Stamp:
    """An instant, with fresh ids."""
    return Stamp(at, lambda: uuid7_text(at, 0, next(_numbers)))


def seal(text: str, place: str) -> bytes:
    """What tests that need no secrecy seal with."""
    return f"{place}|{text}".encode()


class Plain:
    """A vault for tests that need no secrecy."""

    def seal(self, text: str, place: str) -> bytes:
        return seal(text, place)

    def open(self, sealed: bytes, place: str) -> str:
        return sealed.decode().removeprefix(f"{place}|")


@dataclass(frozen=True, slots=True)
class World:
    """One organization in a database, and the ways to change it."""

    db: Database
    organization: Organization

    def account(self, name: str = "one", role: Role = Role.STANDARD) -> Account:
        """Another account."""
        wanted = accounts.NewAccount(
            name=name, role=role, email=None, client_id=f"client-{next(_numbers)}", secret_hash="hash"
        )
        return self.db.write_now(accounts.create_account, self.organization.id, wanted, stamp())

    def webhook(self, account: Account, *events: str, url: str = "http://127.0.0.1:9/hook") -> Endpoint:
        """Register the account's webhook."""
        wanted = webhooks.Wanted(url=url, masked=url, event_types=events, preset="standard")
        return self.db.write_now(webhooks.configure, account, wanted, seal, stamp()).value

    def book(self, account: Account, name: str = "Loan", *, book_class: str = "COMPLETE") -> Book:
        """Another book."""
        wanted = NewBook(
            name=f"{name} {next(_numbers)}",
            uuid=new_id(),
            book_class=book_class,
            book_type="DEFAULT",
            is_public=False,
            xid=None,
        )
        return self.db.write_now(books.create_book, account, wanted, stamp())[0]

    def document(
        self,
        account: Account,
        book: Book,
        *,
        form_type: str | None = None,
        source: DocumentSource = DocumentSource.FILE,
    ) -> Document:
        """An uploaded document, or one to be pulled, with content of its own."""
        number, is_file = next(_numbers), source is not DocumentSource.PLAID_ASSET
        upload = Upload(
            book=BookKey(pk=book.pk, uuid=None),
            name=f"{number}.pdf",
            blob=f"blob-{number}" if is_file else None,
            md5=f"{number:032x}",
            page_count=1,
            form_type=form_type,
            source=source,
            token_sealed=None if is_file else b"sealed",
        )
        made = self.db.write_now(uploads.upload_document, account, upload, stamp()).value
        assert isinstance(made, Document)
        return made

    def mixed(self, account: Account, book: Book) -> MixedDocument:
        """An uploaded mixed document with content of its own."""
        upload = Upload(book=BookKey(pk=book.pk, uuid=None), name="mixed.pdf", blob="b", md5=new_md5(), page_count=1)
        mixed = self.db.write_now(uploads.upload_mixed, account, upload, stamp()).value
        assert isinstance(mixed, MixedDocument)
        return mixed

    def cut(self, mixed: MixedDocument, count: int) -> list[str]:
        """Report the mixed document as cut into so many documents. Gives their uuids."""
        report = ClassifiedReport(uuid=mixed.uuid, parts=tuple(ClassifiedPart() for _ in range(count)))
        return [uuid for uuid, _ in self.db.write_now(reports.apply, report, stamp()).value.documents]

    def documents(self, account: Account, book: Book, count: int) -> list[str]:
        """Classified documents in a book, cut out of one mixed document. Gives their uuids."""
        return self.cut(self.mixed(account, book), count)

    def verify(self, uuid: str, at: int = START) -> Published[reports.Reported]:
        """Report a document as verified."""
        report = DocumentReport(uuid=uuid, status=DocumentStatus.VERIFICATION_COMPLETE)
        return self.db.write_now(reports.apply, report, stamp(at))

    def publish(self, account: Account, count: int, at: int = START) -> None:
        """That many DOC_VERIFIED events, and one BOOK_VERIFIED."""
        for uuid in self.documents(account, self.book(account), count):
            self.verify(uuid, at)


def world_in(db: Database) -> World:
    """A new organization in this database."""
    return World(db, db.write_now(accounts.create_organization, f"Organization {next(_numbers)}", stamp()))
