"""What waits for the pipeline. Source: docs/reporting-outcomes.md."""

from collections.abc import Sequence
from typing import Any

from bookbell.core import limits
from bookbell.core.model import Document, ImageGroup, MixedDocument
from bookbell.store import analytics, documents, images
from bookbell.store.database import Tx
from bookbell.vault import Vault
from bookbell.web import wire
from bookbell.web.auth import require_pipeline
from bookbell.web.http import Response
from bookbell.web.operation import Access, Operation, Tag, described, enveloped, may
from bookbell.web.platform_api.report_shapes import BASE, WORK
from bookbell.web.routing import get
from bookbell.web.shape import text, whole


@get(
    BASE + "/work",
    opt=described(
        Operation(
            tag=Tag.PIPELINE,
            access=Access.PIPELINE,
            fields=(
                may("after_document", whole(0), "The last document's number of the page before."),
                may("after_mixed_document", whole(0), "The last mixed document's number of the page before."),
                may("after_image_group", whole(0), "The last image group's number of the page before."),
                may(
                    "after_analytics_request",
                    text("01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3"),
                    "The last request's id of the page before.",
                ),
            ),
            answer=enveloped(WORK),
        )
    ),
)
async def list_work(request: wire.Wire) -> Response:
    """What waits for the pipeline, in order of creation: documents, mixed ones, image groups, analytics requests."""
    require_pipeline(request)
    context, params = request.context, await wire.read_params(request)
    names = ("after_document", "after_mixed_document", "after_image_group")
    return wire.ok(
        await context.database.read(
            _work,
            context.vault,
            context.ambient.now_ms(),
            after=[params.integer(name) or 0 for name in names],
            after_request=params.text("after_analytics_request") or "",
        )
    )


def _work(tx: Tx, vault: Vault, now: int, *, after: Sequence[int], after_request: str) -> dict[str, Any]:
    count = limits.PAGE_COUNT_MAX
    return {
        "documents": [
            _document_in_work(each, vault)
            for each in documents.waiting_documents(tx, before=now, after_pk=after[0], count=count)
        ],
        "mixed_documents": [
            _in_work(each) for each in documents.waiting_mixed(tx, before=now, after_pk=after[1], count=count)
        ],
        "image_groups": [
            _group_in_work(each) for each in images.waiting_groups(tx, before=now, after_pk=after[2], count=count)
        ],
        "analytics_requests": [
            {"id": each.id, "status": each.status, "book_pk": each.book_pk}
            for each in analytics.waiting_requests(tx, before=now, after=after_request, count=count)
        ],
    }


def _document_in_work(document: Document, vault: Vault) -> dict[str, Any]:
    """With the token to pull the data with, where there is one."""
    shown = {**_in_work(document), "source": document.source}
    if document.token_sealed is not None:
        shown["audit_copy_token"] = vault.open(document.token_sealed, f"audit-copy-token:{document.md5}")
    return shown


def _in_work(item: Document | MixedDocument) -> dict[str, Any]:
    return {
        "pk": item.pk,
        "uuid": item.uuid,
        "name": item.name,
        "status": item.status,
        "book_pk": item.book_pk,
        "document_class": item.document_class,
    }


def _group_in_work(group: ImageGroup) -> dict[str, Any]:
    return {"pk": group.pk, "uuid": group.uuid, "status": group.status, "book_pk": group.book_pk}


routes = [list_work]
