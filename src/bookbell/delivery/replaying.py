"""Works on replay jobs: takes those whose next batch is due, one batch after another, and rings what is due then.

Every worker does; a job's row settles who does a batch. See actions.replaying for what a batch is.
"""

from collections.abc import Callable, Iterable

from bookbell import telemetry
from bookbell.actions.replaying import Worked, forget_staging, work
from bookbell.actions.stamp import Stamp
from bookbell.ambient import Ambient
from bookbell.core.model import LanePk
from bookbell.core.replay import JobState
from bookbell.store import replays
from bookbell.store.database import Database

POLL_MS = 1_000
PAUSE_MS_MIN = 20  # between two looks while there is work
FORGET_MS = 10_000


class Replayer:
    """Does what jobs there are, for ever. ring: a hint that these lanes have due work."""

    def __init__(self, database: Database, ambient: Ambient, ring: Callable[[Iterable[LanePk]], None]) -> None:
        self._database = database
        self._ambient = ambient
        self._ring = ring
        self._forget_at = 0

    async def run(self) -> None:
        """Turn after turn; a turn that fails (mostly: the database is away) is logged and made again."""
        while True:
            pause = POLL_MS
            try:
                pause = await self.turn()
            except Exception:  # noqa: BLE001 - the border of a loop's turn
                telemetry.log().error("loop_failed", loop="replays", exc_info=True)
            await self._ambient.sleep_ms(pause)

    async def turn(self) -> int:
        """One batch of each job that is due. Gives after how many milliseconds to turn again."""
        now = self._ambient.now_ms()
        jobs = await self._database.read(replays.due_jobs)
        for job_id in [job_id for job_id, due_at in jobs if due_at <= now]:
            await self._work(job_id)
        if self._ambient.monotonic_ms() >= self._forget_at:
            self._forget_at = self._ambient.monotonic_ms() + FORGET_MS
            if await self._database.read(replays.spent_staging):
                await self._database.write(forget_staging, self._stamp())
        next_at = min((due_at for _, due_at in jobs), default=now + POLL_MS)
        return min(POLL_MS, max(PAUSE_MS_MIN, next_at - self._ambient.now_ms()))

    async def _work(self, job_id: str) -> None:
        published = await self._database.write(work, job_id, self._stamp())
        if published.lanes:
            self._ring(published.lanes)
        if published.value is not None:
            _observe(published.value)

    def _stamp(self) -> Stamp:
        return Stamp(self._ambient.now_ms(), self._ambient.new_id)


def _observe(worked: Worked) -> None:
    telemetry.REPLAYED.labels("recovered").inc(worked.recovered_count)
    telemetry.REPLAYED.labels("replayed").inc(worked.replayed_count)
    job = worked.job
    if job.state is JobState.RUNNING:
        return
    fields = {
        "replay": job.id,
        "organization": job.organization_id,
        "endpoint": job.endpoint_id,
        "recovered": job.recovered_count,
        "replayed": job.replayed_count,
    }
    if job.state is JobState.FAILED:
        telemetry.log().warning("replay_failed", reason=job.detail, **fields)
    else:
        telemetry.log().info("replay_done", **fields)
