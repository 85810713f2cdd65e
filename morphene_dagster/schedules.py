"""One schedule per tier: it launches a backfill of what is ready and was never trained."""

import dagster as dg

from morphene_core.errors import InputError
from morphene_core.home import Home
from morphene_core.instruments import ALL_INSTRUMENTS
from morphene_core.instruments.definition import Tier
from morphene_core.settings import read_settings
from morphene_dagster.backfills import eligible, launch

TIERS: tuple[Tier, ...] = ("flagship", "strong", "experimental")


def _schedule(tier: Tier) -> dg.ScheduleDefinition:
    settings = Home.resolve().settings
    cron = getattr(read_settings(settings).schedules, tier)

    # Its only job is named because Dagster asks for one: what it launches is a backfill.
    def tick(context: dg.ScheduleEvaluationContext) -> dg.SkipReason:
        return launch_tier(context, tier)

    try:
        return dg.ScheduleDefinition(
            name=f"{tier}_backfill",
            cron_schedule=cron,
            job_name="train",
            execution_fn=tick,
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description=f"Trains the {tier} instruments whose sources are complete and that were"
            " never trained. The time is UTC; morphene.toml sets it.",
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise InputError(
            f"{settings}: schedules.{tier}: {cron!r} is no cron expression."
        ) from error


def launch_tier(context: dg.ScheduleEvaluationContext, tier: Tier) -> dg.SkipReason:
    """Launch the backfill of a tick, once; return what was done, and what was not and why."""
    backfill_id = f"{tier}-{context.scheduled_execution_time:%Y%m%d-%H%M}"
    if context.instance.get_backfill(backfill_id):
        return dg.SkipReason(f"Backfill {backfill_id} was launched by an earlier try of this tick.")
    instruments = [i for i in ALL_INSTRUMENTS if i.tier == tier]
    choice = eligible(context.instance, Home.resolve(), instruments)
    if not choice.ready:
        why = choice.why_not or f"the catalogue has no {tier} instrument"
        return dg.SkipReason(f"Nothing to train: {why}.")
    names = ", ".join(i.slug for i in choice.ready)
    if _is_preview(context):
        return dg.SkipReason(f"It would launch a backfill: {names}.")
    launch(context.instance, choice.ready, tier, backfill_id=backfill_id)
    others = f" Not queued: {choice.why_not}." if choice.why_not else ""
    return dg.SkipReason(f"Launched backfill {backfill_id}: {names}.{others}")


def _is_preview(context: dg.ScheduleEvaluationContext) -> bool:
    """Return whether the UI only asks what a tick would do ("Preview tick result").

    Dagster does not say so, but gives a real tick's logs a name of their own, and a preview's none:
    its place is taken by the time.
    """
    key, at = context.log_key, context.scheduled_execution_time
    return key is not None and key[-1] == f"{at:%Y%m%d_%H%M%S}"


ALL = [_schedule(tier) for tier in TIERS]
