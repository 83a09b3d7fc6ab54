"""A worker process that polls once in ten minutes: what it finds sooner it was told of."""

import uvloop

from bookbell import telemetry
from bookbell.config import read_settings
from bookbell.service import Role, Service, open_parts


async def main() -> None:
    settings = read_settings()
    telemetry.set_up_logging(settings.log_format)
    service = Service(open_parts(settings), role=Role.WORKER, is_simulating=False, poll_ms=600_000)
    await service.run(lambda address: print(f"bookbell is ready at {address}", flush=True))


if __name__ == "__main__":
    uvloop.run(main())
