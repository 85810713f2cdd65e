"""The GPU of a training, chosen before torch is loaded."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from morphene_core.errors import InputError, MorpheneError
from morphene_core.gpus import confine, leased_gpu, list_gpus
from morphene_core.profiles import Profile
from morphene_core.progress import Report
from morphene_core.training.live import Live, write_live
from morphene_core.training.record import TrainingFolder, now


@contextmanager
def training_gpu(
    folder: TrainingFolder, profile: Profile, wait_minutes: float, report: Report
) -> Iterator[str | None]:
    """Lease a GPU for the block and confine the process to it; give its uuid, None for a CPU.

    Raises:
        InputError: the profile needs a GPU, and there is none that could do, or none became free
            in time.
    """
    settings = profile.training
    if not list_gpus() or not (settings.requires_gpu or _torch_has_cuda()):
        if settings.requires_gpu:
            raise InputError(
                f"Profile {profile.name} needs a GPU, and NVML finds none here. Train on a machine"
                " with one (and NVIDIA's driver), or use a profile made for the CPU (such as demo)."
            )
        confine(None)
        yield None
        return

    def waiting(line: str) -> None:
        write_live(folder, Live("waiting for a GPU", now(), folder.read().step, note=line))
        report(line)

    with ExitStack() as lease:
        try:
            gpu = lease.enter_context(leased_gpu(settings.gpu_memory_gb, wait_minutes, waiting))
        except MorpheneError as error:
            raise InputError(str(error)) from error  # it has waited: trying again would wait anew
        confine(gpu)
        report(f"GPU {gpu.index} ({gpu.name}), {gpu.free_gb:.1f} of {gpu.total_gb:.1f} GB free")
        yield gpu.uuid


def _torch_has_cuda() -> bool:
    import torch  # it looks for GPUs at their first use only: the choice can still be made

    return torch.version.cuda is not None
