"""Every bound of the program, in one place, with its reason where it has one.

Sizes end in _bytes, counts in _count, durations in _ms; _MAX marks an upper bound.
"""

# Requests to receivers.
RESPONSE_HEADERS_BYTES_MAX = 64 * 1024
RESPONSE_BODY_BYTES_MAX = 64 * 1024  # more is cut off: only the status matters (contract 2)
RESPONSE_KEPT_BYTES_MAX = 4 * 1024
RESPONSE_HEAD_KEPT_BYTES_MAX = 8 * 1024
URL_CHARS_MAX = 2_048
REQUESTS_IN_FLIGHT_MAX = 4_096  # of one worker process, all lanes together
TIMING_US_MAX = 2**31 - 1  # 36 minutes; a longer time is kept as that, and only a worker that stood still finds one
LOOKUPS_MAX = 512  # names being looked up at once, each on a thread
LOOKUPS_QUICK_MAX = 64  # of them, those that have not taken long yet
LOOKUPS_SLOW_MAX = 64  # of them, begun for names that took long the last time
SLOW_NAMES_MAX = 10_000  # names remembered for taking long
ADDRESSES_MAX = 16  # of one name, tried in turn

# Secrets (contract 5.2).
SECRET_CHARS_MIN = 16
SECRET_CHARS_MAX = 128
SECRETS_MAX = 5  # of one webhook, while one takes the place of another
SECRET_OVERLAP_MS = 24 * 3_600_000  # how long a replaced secret stays unless something else is said
SECRET_OVERLAP_MS_MAX = 30 * 24 * 3_600_000
RESEAL_BATCH_COUNT_MAX = 200

# Org-level webhooks (contract 8).
ORG_WEBHOOKS_MAX = 5  # of one organization, unless the operator says otherwise
DESCRIPTION_CHARS_MIN = 3
DESCRIPTION_CHARS_MAX = 255

# Client requests.
REQUESTS_PER_S = 20  # of one organization (contract 12)
BUCKET_COUNT_MAX = 10_000  # organizations whose recent requests are remembered
REQUEST_HEAD_BYTES_MAX = 64 * 1024
REQUEST_HEAD_MS_MAX = 30_000
BODY_IDLE_MS_MAX = 30_000  # between two pieces of a body
BODY_MS_MAX = 60_000
UPLOAD_MS_MAX = 3_600_000
JSON_BODY_BYTES_MAX = 1024 * 1024
JSON_DEPTH_MAX = 64  # deeper, and recursion could end in the interpreter's own limit
FORM_FIELD_BYTES_MAX = 64 * 1024
FORM_PART_COUNT_MAX = 100
LIST_COUNT_MAX = 1_000  # texts in one parameter; there are fewer event types, and a statement takes 32,766 values
NAME_CHARS_MAX = 255
PAGE_COUNT_DEFAULT = 50  # rows of a list page
PAGE_COUNT_MAX = 500
OFFSET_MAX = 1_000_000
REPORT_BATCH_COUNT_MAX = 500
WORKER_KEPT_MS = 24 * 3_600_000  # the row of a worker that has died
ANALYTICS_JOB_KEPT_MS = 24 * 3_600_000  # contract 10.9
IDEMPOTENCY_KEY_CHARS_MAX = 255
IDEMPOTENCY_SCOPE_CHARS_MAX = 255  # of the path; those of things that exist have less than half
IDEMPOTENCY_KEPT_MS = 24 * 3_600_000

# Retention and the background audit: batches are small, and rests follow them.
PRUNE_BATCH_COUNT_MAX = 500  # events, attempts or answers in one transaction
PRUNE_BATCH_DELIVERIES_MAX = 5_000  # deliveries that go with them
PRUNE_BATCH_BOOKS_MAX = 10
CHORE_BATCH_MS_MAX = 50  # a batch that took longer is followed by a smaller one; on SQLite publishers wait for it
CHORE_REST_MS_MIN = 20
CHORE_LEASE_MS = 60_000
CHORE_LAG_MS = 600_000  # how old an event is when the background audits and measures it: by then it is committed
AUDIT_BATCH_COUNT = 2_000  # events read in one statement
AUDIT_FINDINGS_MAX = 1_000  # named; more are counted
LEDGER_ROWS_MAX = 1_000_000  # deliveries counted for one answer

# Replays.
REPLAY_BATCH_COUNT_MAX = 200  # deliveries that one transaction makes due
REPLAY_SCAN_COUNT = 1_000  # deliveries or events that one transaction looks at
REPLAY_COUNTED_MAX = 100_000  # looked at to say beforehand how much there is to do
REPLAY_SAMPLE_COUNT = 10
REPLAY_RATE_DEFAULT = 50  # deliveries made due in a second
REPLAY_RATE_MAX = 1_000
REPLAYS_RUNNING_MAX = 20  # of one organization
REPLAYS_LOOKED_AT_MAX = 100

# Reading events in order.
EVENTS_WAIT_S_MAX = 30
EVENTS_WAITING_MAX = 200  # requests that wait for an event at the same time; more are answered at once
EVENTS_LOOKED_AT_MAX = 5_000  # by one reading in order, whether it wants them or not

# Event types an operator defines, and the bodies published under them.
EVENT_TYPE_CHARS_MAX = 64
DEFINED_TYPES_MAX = 500
TYPE_DESCRIPTION_CHARS_MAX = 1_000
EVENT_BODY_BYTES_MAX = 256 * 1024
SCHEMA_BYTES_MAX = 64 * 1024
SCHEMA_STEPS_MAX = 50_000  # keywords evaluated for one body; about half a second

# Uploads (contract 10.11).
UPLOAD_BYTES_MAX = 200 * 1024 * 1024
INSPECT_S_MAX = 20  # of processor and of the clock, to parse one file
INSPECT_MEMORY_BYTES_MAX = 1024**3
UPLOAD_SILENCE_MS_MAX = 3_600_000  # an unfinished file that nobody has written to for so long is swept at a start
DOCUMENTS_PER_BOOK_MAX = 2_000
PAGES_PER_DOCUMENT_MAX = 3_000
PAGES_PER_BOOK_MAX = 40_000
DOCUMENTS_PER_MIXED_MAX = 500
AGGREGATOR_BYTES_MAX = 32 * 1024 * 1024  # of one request; JSON is read whole
AUDIT_COPY_TOKEN_CHARS_MAX = 255
UNSURE_COUNT_MAX = 500  # files looked up in the database at once, see web/files.py
BLOBS_REMOVED_COUNT_MAX = 500  # files that one housekeeping step removes

# Engine.
LANES_PER_WORKER_MAX = 2_048
LANE_BUFFER_COUNT = 256  # due deliveries of one lane read ahead into memory
LANE_BUFFER_BYTES = 1024 * 1024  # of their bodies, judged by the largest seen last
FIRST_LOOK_COUNT = 32  # the same in a lane whose bodies may have any size, because it was not looked at yet
BUFFERS_BYTES_MAX = 32 * 1024 * 1024  # of one worker process; shared out equally among its lanes
ORGANIZATION_IN_FLIGHT_MAX = 3_072  # requests of one organization, so that others always find room
HOLD_BATCH_COUNT_MAX = 500  # deliveries that expire or are superseded in one transaction
NOTICE_COUNT_MAX = 50
RECORD_BATCH_COUNT_MAX = 500
PARK_BATCH_COUNT_MAX = 500
BELL_LANE_COUNT_MAX = 200  # lanes in one notification; PostgreSQL bounds it by 8000 bytes
UNRECORDED_COUNT_MAX = 4_000  # sends stop while this many results wait for the store

# The operator's page (docs/dashboard.md).
DASHBOARD_ORGANIZATION_COUNT = 10  # on one page
DASHBOARD_WEBHOOK_COUNT = 10  # of each on that page; an organization's own page goes on
DASHBOARD_WAITING_COUNT_MAX = 1_000  # waiting deliveries counted of one webhook
DASHBOARD_LEDGER_ROWS_MAX = 10_000  # deliveries counted for the ledger of one webhook
DASHBOARD_ATTEMPT_COUNT_MAX = 100  # of one delivery

# Tokens (contract 11).
TOKEN_LIFETIME_S = 86_400
