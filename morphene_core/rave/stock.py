"""Stock ``rave`` with torchaudio made importable: ``python -m morphene_core.rave.stock train ...``.

For trying datasets and checkpoints of ours with IRCAM's own commands on a machine without CUDA.
"""

from scripts.main_cli import main

if __name__ == "__main__":
    main()
