"""Second-generation analytics of a book over the wire: read at once, or by a job. Source: contract 10.9.

Both are bare JSON, as the rest of v2's reads: what the pipeline reported is answered as it is.
"""

import msgspec

from bookbell.actions import analytics
from bookbell.actions.books import BookKey
from bookbell.core.analytics import VIEWS
from bookbell.core.errors import BookNotFound, NotFound, NotPermittedBook, TooEarly
from bookbell.core.model import JobStatus
from bookbell.web import wire
from bookbell.web.auth import account_of
from bookbell.web.http import Response
from bookbell.web.operation import Operation, Tag, bare, described, may
from bookbell.web.routing import get
from bookbell.web.shape import anything, choice, flag, record, uuid

_JOB_ID = uuid("01976f0e-5a00-7c3d-9e21-4b7a90c1d2e3")
_RESULT = anything({"book_pk": 40120077, "book_name": "Loan 2210", "txn_count": 324})


@get(
    [f"/v2/book/{{book_uuid:str}}/{view}" for view in VIEWS],
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            fields=(may("async", flag(), "Whether to answer with a job at once instead of the analytics."),),
            answer=bare(_RESULT, "The analytics, as the pipeline reported them."),
            others={202: bare(record({"job_id": _JOB_ID, "status": {"const": "PENDING"}}), "The job that was made.")},
            errors=(BookNotFound, NotPermittedBook, NotFound, TooEarly),
        )
    ),
)
async def read_analytics(request: wire.Wire) -> Response:
    """Second-generation analytics of a book."""
    context, account = request.context, await account_of(request)
    params = await wire.read_params(request)
    key = BookKey(pk=None, uuid=wire.path_uuid(request, "book_uuid"))
    view = request.path.rstrip("/").rpartition("/")[2]
    if params.flag("async"):
        job = await context.database.write(analytics.start_job, account, key, view, context.stamp())
        return wire.answer({"job_id": job.id, "status": JobStatus.PENDING}, status=202)
    result = await context.database.read(analytics.read_view, account, key, view)
    return wire.answer(msgspec.Raw(result.encode()))


@get(
    "/v2/analytics/jobs/{job_id:str}",
    opt=described(
        Operation(
            tag=Tag.BOOKS,
            answer=bare(record({"job_id": _JOB_ID, "status": choice(JobStatus, "DONE")}, {"result": _RESULT})),
            errors=(NotFound,),
        )
    ),
)
async def read_job(request: wire.Wire) -> Response:
    """How far a job is, and the analytics once it is done.

    A job is kept for 24 hours.
    """
    context, account = request.context, await account_of(request)
    now = context.ambient.now_ms()
    job = await context.database.read(analytics.find_job, account, wire.path_uuid(request, "job_id"), now=now)
    result = {} if job.result is None else {"result": msgspec.Raw(job.result.encode())}
    return wire.answer({"job_id": job.id, "status": job.status, **result})


routes = [read_analytics, read_job]
