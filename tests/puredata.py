"""A real Pure Data without a window, and a stand-in for nn~ that tells what reaches it."""

import shutil
import subprocess
from pathlib import Path

QUIETLY = ("-nogui", "-noaudio", "-nomidi", "-noprefs", "-batch", "-stderr")

STAND_IN = r"""#N canvas 0 0 600 300 12;
#X obj 20 20 inlet~ fwd;
#X obj 160 20 inlet~;
#X obj 260 20 inlet~;
#X obj 20 260 outlet~;
#X obj 160 260 outlet;
#X obj 60 60 print nn~;
#X obj 360 60 route bang;
#X msg 360 90 loaded 1;
#X obj 360 120 r probe;
#X obj 20 160 snapshot~;
#X obj 160 160 snapshot~;
#X obj 260 160 snapshot~;
#X obj 360 150 t b b b;
#X obj 20 200 pack f f f;
#X obj 90 230 print signals;
#X obj 460 200 sig~ 0.5;
#X connect 0 0 9 0;
#X connect 0 1 5 0;
#X connect 0 1 6 0;
#X connect 1 0 10 0;
#X connect 2 0 11 0;
#X connect 6 0 7 0;
#X connect 7 0 4 0;
#X connect 8 0 12 0;
#X connect 9 0 13 0;
#X connect 10 0 13 1;
#X connect 11 0 13 2;
#X connect 12 0 9 0;
#X connect 12 1 10 0;
#X connect 12 2 11 0;
#X connect 13 0 14 0;
#X connect 15 0 3 0;
"""
"""nn~ with three inputs and one output: prints the messages to it and, on `probe`, the signals."""

MICROPHONE = r"""#N canvas 0 0 450 300 12;
#X obj 20 20 sig~ 0.125;
#X obj 20 60 outlet~;
#X obj 120 60 outlet~;
#X connect 0 0 1 0;
#X connect 0 0 2 0;
"""
"""In place of adc~: a level on both inputs of the sound card."""

RECORDER = r"""#N canvas 0 0 450 300 12;
#X obj 20 20 inlet~;
#X obj 120 20 inlet~;
#X obj 220 20 loadbang;
#X obj 20 60 tabwrite~ heard;
#X obj 20 90 table heard 960000;
#X obj 20 120 r save;
#X msg 20 150 write -wave -bytes 4 out.wav heard;
#X obj 20 180 soundfiler;
#X connect 0 0 3 0;
#X connect 1 0 3 0;
#X connect 2 0 3 0;
#X connect 5 0 6 0;
#X connect 6 0 7 0;
"""
"""In place of dac~: keeps the sum of what would be heard in 20 s; `save` writes it to out.wav."""


def run_pd(folder: Path, patches: list[str], *steps: tuple[int, str], rate: int = 48_000) -> str:
    """Open patches in Pure Data, which computes as fast as it can, and return its console.

    Args:
        folder: of the patches.
        patches: names of files.
        steps: milliseconds after the beginning, and the messages that are sent then, as in a
            message box without its leading semicolon. It ends 100 ms after the last one.
        rate: sample rate in Hz.
    """
    pd = shutil.which("pd")
    assert pd, "pd is missing. Debian: apt install puredata-core."
    (folder / "control.pd").write_text(_control(steps))
    opened = [part for name in (*patches, "control.pd") for part in ("-open", name)]
    done = subprocess.run(
        [pd, *QUIETLY, "-r", str(rate), *opened],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def _control(steps: tuple[tuple[int, str], ...]) -> str:
    """Return a patch that sends messages at their times, and quits."""
    end = max([0, *(at for at, _ in steps)]) + 100
    objects, cords = ["#X obj 0 0 loadbang;"], []
    for at, message in (*steps, (end, "save bang"), (end + 1, "pd quit")):
        number = len(objects)
        sent = message.replace(";", r"\;").replace(",", r"\,")
        objects += [f"#X obj 0 0 delay {at};", rf"#X msg 0 0 \; {sent};"]
        cords += [f"#X connect 0 0 {number} 0;", f"#X connect {number} 0 {number + 1} 0;"]
    objects.append("#X obj 0 0 r save;")  # or Pd would complain where nobody listens
    return "\n".join(["#N canvas 0 0 450 300 12;", *objects, *cords, ""])
