"""Commands for the master keys: make one, put another in its place, seal everything under it, drop the old one."""

from typing import TYPE_CHECKING

import typer

from bookbell.cli.printing import JSON_OPTION, explained, show, show_table

if TYPE_CHECKING:
    from bookbell.actions.resealing import Step
    from bookbell.service import Opened
    from bookbell.store.sealed import Place

key = typer.Typer(help="Make a master key for BOOKBELL_MASTER_KEY; or rotate the one in use.")


@key.callback(invoke_without_command=True)
def make(context: typer.Context, as_json: bool = JSON_OPTION) -> None:
    """Make a master key for BOOKBELL_MASTER_KEY; or, with a command, look at the keys in use and rotate them."""
    from bookbell.vault import new_master_key

    if context.invoked_subcommand is None:
        made = new_master_key()
        show({"master_key": made}, as_json=as_json, rows=[("BOOKBELL_MASTER_KEY", made)])


@key.command("list")
def list_keys(as_json: bool = JSON_OPTION) -> None:
    """List the keys in use by their names, the primary first, and how many values are sealed under each."""
    with explained():
        from bookbell.cli.running import opened

        with opened() as parts:
            names, counts = parts.vault.key_names, _counts(parts)
        rows = [{"key": name, "is_primary": name == names[0], "value_count": counts.get(name, 0)} for name in names]
        rows += [
            {"key": name, "is_primary": False, "value_count": count}
            for name, count in sorted(counts.items())
            if name not in names
        ]
        show_table(rows, ["key", "is_primary", "value_count"], as_json=as_json)


@key.command("rotate")
def rotate() -> None:
    """Make a new primary in the key file of the data folder; the old key stays readable until `key drop`."""
    with explained():
        from bookbell.cli.running import opened
        from bookbell.config import StartError
        from bookbell.vault import keep_keys, kept_keys, new_master_key

        with opened() as parts:
            path = parts.key_file
        if path is None:
            raise StartError(
                "The key is in BOOKBELL_MASTER_KEY. Make one with `bookbell key`; give it to every process in "
                "BOOKBELL_MASTER_KEYS_OLD, then as BOOKBELL_MASTER_KEY with the old one in BOOKBELL_MASTER_KEYS_OLD; "
                "then run `bookbell key reseal`."
            )
        keep_keys(path, [new_master_key(), *kept_keys(path)])
        typer.echo(f"{path} has a new primary key. Restart the service, then run `bookbell key reseal`.")


@key.command("reseal")
def reseal(
    batch: int = typer.Option(200, help="Values of one transaction.", min=1, max=200),
) -> None:
    """Seal every value under the primary key, batch by batch, while the service runs; may be cut off and run again."""
    with explained():
        from bookbell.cli.running import opened
        from bookbell.config import StartError
        from bookbell.store.sealed import PLACES

        steps = []
        with opened() as parts:
            for place in PLACES:
                steps += _reseal_column(parts, place, batch)
        unreadable = [each for step in steps for each in step.unreadable]
        if unreadable:
            raise StartError(f"These values open with none of the keys: {', '.join(unreadable[:10])}.")
        total = sum(step.resealed for step in steps)
        typer.echo(f"Every value is sealed under the primary key ({total} were not).")


def _reseal_column(parts: "Opened", place: "Place", batch: int) -> "list[Step]":
    """All of one column; says after each batch what it did, so that somebody who watches sees it move."""
    from bookbell.actions import resealing

    steps: list[Step] = []
    while not steps or steps[-1].after is not None:
        after = steps[-1].after if steps else None
        steps.append(parts.database.write_now(resealing.reseal, place, parts.vault, after=after, count=batch))
        if steps[-1].resealed:
            typer.echo(f"{place.column}: {steps[-1].resealed} resealed")
    return steps


@key.command("drop")
def drop() -> None:
    """Take the old keys out of the key file of the data folder; refused while anything is sealed under them."""
    with explained():
        from bookbell.cli.running import opened
        from bookbell.config import StartError
        from bookbell.vault import keep_keys, kept_keys

        with opened() as parts:
            path, primary, counts = parts.key_file, parts.vault.key_names[0], _counts(parts)
        left = sum(count for name, count in counts.items() if name != primary)
        if left:
            raise StartError(f"{left} values are sealed under an old key. Run `bookbell key reseal`.")
        if path is None:
            typer.echo("Nothing is sealed under an old key: take it out of BOOKBELL_MASTER_KEYS_OLD.")
            return
        keep_keys(path, kept_keys(path)[:1])
        typer.echo(f"{path} holds the primary key only. Restart the service.")


def _counts(parts: "Opened") -> dict[str, int]:
    from bookbell.actions import resealing
    from bookbell.core import limits
    from bookbell.store.sealed import PLACES
    from bookbell.vault import key_name_of

    counts: dict[str, int] = {}
    for place in PLACES:
        found = parts.database.read_now(
            resealing.count_by_key, place, key_name_of, batch=limits.RESEAL_BATCH_COUNT_MAX
        )
        for name, count in found.items():
            counts[name] = counts.get(name, 0) + count
    return counts


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(key, name="key")
