"""Takes all memory of a GPU but some, until stdin ends: ``python hog.py GB_LEFT``."""

import sys

import torch

free, _ = torch.cuda.mem_get_info()
held = torch.zeros(int(free - 1e9 * float(sys.argv[1])), dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print("full", flush=True)  # noqa: T201
sys.stdin.read()
