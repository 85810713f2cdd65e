"""One run of all stages in this process: ``python -m morphene_dagster.execute``.

`morphene_dagster.launch` starts and follows it.
"""

import json
import sys

import dagster as dg

from morphene_core.processes import start_as_child
from morphene_dagster.definitions import defs


def main() -> None:
    """Run the job ``everything``; the arguments are run id, partition and run config as JSON."""
    start_as_child()
    run_id, partition, run_config = sys.argv[1:]
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("everything").execute_in_process(
            run_id=run_id,
            partition_key=partition,
            run_config=json.loads(run_config),
            instance=instance,
            raise_on_error=False,
        )
    sys.exit(0 if result.success else 1)


if __name__ == "__main__":
    main()
