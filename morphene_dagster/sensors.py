"""Sensors: what happens without anybody asking for it."""

import json
import time

import dagster as dg

from morphene_core.home import ROLES, Home, InstrumentPaths, Role
from morphene_core.sources.listing import fingerprint, source_paths
from morphene_dagster.assets.sources import musical_source, nonmusical_source

_SETTLED_SECONDS = 30.0  # a folder that changed just now is being copied to, perhaps


@dg.sensor(
    target=[musical_source, nonmusical_source],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def source_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Reads recordings anew when they or their manifest change: what was made of them is stale."""
    home = Home.resolve()
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    requests = []
    for role in ROLES:
        asset = dg.AssetKey(f"{role}_source")
        for slug in sorted(context.instance.get_materialized_partitions(asset)):
            key, now = f"{slug}/{role}", _fingerprint(home.instrument(slug), role)
            if now is None or now == seen.get(key):
                continue
            if key in seen:
                requests.append(
                    dg.RunRequest(f"{key} {now}", partition_key=slug, asset_selection=[asset])
                )
            seen[key] = now
    return dg.SensorResult(requests, cursor=json.dumps(seen))


def _fingerprint(paths: InstrumentPaths, role: Role) -> str | None:
    """Return what tells a folder from itself as it was, or None while it is being changed."""
    folder, manifest = paths.sources(role), paths.manifest(role)
    below = [folder / path for path in source_paths(folder)] if folder.is_dir() else []
    files = [file for file in (manifest, *below) if file.exists()]
    if any(time.time() - file.lstat().st_mtime < _SETTLED_SECONDS for file in files):
        return None
    return fingerprint(files)
