"""Leases a GPU, uses 2 GB of it through torch, and says what that did: ``python leased.py``."""

import json

from morphene_core.gpus import confine, leased_gpu, read_gpu


def main() -> None:
    with leased_gpu(4, 0, lambda _: None) as gpu:
        confine(gpu)
        import torch  # after the choice

        held = torch.zeros(2_000_000_000, dtype=torch.uint8, device="cuda")
        torch.cuda.synchronize()
        now = read_gpu(gpu.uuid)
        assert now is not None
        seen = {
            "leased": gpu.uuid,
            "torch": f"GPU-{torch.cuda.get_device_properties(held.device).uuid}",
            "torch sees": torch.cuda.device_count(),
            "taken_gb": gpu.free_gb - now.free_gb,
        }
        print(json.dumps(seen))  # noqa: T201


if __name__ == "__main__":
    main()
