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

# Secrets (contract 5.2).
SECRET_CHARS_MIN = 16
SECRET_CHARS_MAX = 128

# Org-level webhooks (contract 8).
ORG_WEBHOOKS_MAX = 5  # of one organization, unless the operator says otherwise
DESCRIPTION_CHARS_MIN = 3
DESCRIPTION_CHARS_MAX = 255

# Client requests.
REQUESTS_PER_S = 20  # of one organization (contract 12)
BUCKET_COUNT_MAX = 10_000  # organizations whose recent requests are remembered
BODY_IDLE_MS_MAX = 30_000  # between two pieces of a body
BODY_MS_MAX = 60_000
UPLOAD_MS_MAX = 3_600_000
JSON_BODY_BYTES_MAX = 1024 * 1024
JSON_DEPTH_MAX = 64  # deeper, and recursion could end in the interpreter's own limit
FORM_FIELD_BYTES_MAX = 64 * 1024
FORM_PART_COUNT_MAX = 100
NAME_CHARS_MAX = 255
PAGE_COUNT_DEFAULT = 50  # rows of a list page
PAGE_COUNT_MAX = 500
OFFSET_MAX = 1_000_000
REPORT_BATCH_COUNT_MAX = 500
IDEMPOTENCY_KEY_CHARS_MAX = 255
IDEMPOTENCY_KEPT_MS = 24 * 3_600_000
PRUNE_BATCH_COUNT_MAX = 500

# Event types an operator defines, and the bodies published under them.
EVENT_TYPE_CHARS_MAX = 64
DEFINED_TYPES_MAX = 500
TYPE_DESCRIPTION_CHARS_MAX = 1_000
EVENT_BODY_BYTES_MAX = 256 * 1024
SCHEMA_BYTES_MAX = 64 * 1024
SCHEMA_STEPS_MAX = 50_000  # keywords evaluated for one body; about half a second

# Uploads (contract 10.11).
UPLOAD_BYTES_MAX = 200 * 1024 * 1024
UPLOAD_SILENCE_MS_MAX = 3_600_000  # an unfinished file that nobody has written to for so long is swept at a start
DOCUMENTS_PER_BOOK_MAX = 2_000
PAGES_PER_DOCUMENT_MAX = 3_000
PAGES_PER_BOOK_MAX = 40_000
DOCUMENTS_PER_MIXED_MAX = 500
AGGREGATOR_BYTES_MAX = 32 * 1024 * 1024  # of one request; JSON is read whole
AUDIT_COPY_TOKEN_CHARS_MAX = 255
EXTRA_FIELDS_COUNT_MAX = 100
BLOBS_REMOVED_COUNT_MAX = 500  # files that one housekeeping step removes

# Engine.
LANES_PER_WORKER_MAX = 2_048
LANE_BUFFER_COUNT = 256  # due deliveries of one lane read ahead into memory
LANE_BUFFER_BYTES = 1024 * 1024  # of their bodies, judged by the largest seen last
BODY_BYTES_GUESS = 32 * 1024  # how large a body is taken to be in a lane that was not looked at yet
BUFFERS_BYTES_MAX = 256 * 1024 * 1024  # of one worker process, all lanes together
ORGANIZATION_IN_FLIGHT_MAX = 3_072  # requests of one organization, so that others always find room
HOLD_BATCH_COUNT_MAX = 500  # deliveries that expire or are superseded in one transaction
NOTICE_COUNT_MAX = 50
RECORD_BATCH_COUNT_MAX = 500
PARK_BATCH_COUNT_MAX = 500
BELL_LANE_COUNT_MAX = 200  # lanes in one notification; PostgreSQL bounds it by 8000 bytes
UNRECORDED_COUNT_MAX = 4_000  # sends stop while this many results wait for the store

# Tokens (contract 11).
TOKEN_LIFETIME_S = 86_400
