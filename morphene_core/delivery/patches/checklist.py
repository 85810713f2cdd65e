"""The checklist for Max, which cannot be run where instruments are made."""

from morphene_core.delivery.patches import wording
from morphene_core.final_model import FinalModel


def checklist(slug: str, model: FinalModel) -> str:
    """Return ``CHECKLIST.md``: what to do in Max, and what to see and hear."""
    rate, low, first = model.sample_rate, min(wording.BUFFERS), model.latents[0]
    knobs = " and ".join(wording.KNOBS[name][0] for name in wording.knobs(model))
    noise = (
        f"- [ ] Play a file twice with {knobs} at 0: it sounds the same twice.\n" if knobs else ""
    )
    return f"""# Checklist for Max

`{slug}.maxpat` was checked by reading it: its objects, its connections, and what it sends to nn~.
Nobody has run it. Ten minutes in Max 8 or later, with nn~ 1.6 and this folder's files together:

- [ ] Options > Audio Status: the sampling rate is {rate} Hz.
- [ ] Open `{slug}.maxpat`. The Max console shows no error, and no object box is orange or empty.
      ON is off, Morph at 0.5, the gain at -6 dB; both levels and all latents are at 0.
- [ ] Press ON. The bar says that the sample rate is right, and after a moment `demo.wav` is heard
      through the model.
- [ ] Move Morph slowly from 0 to 1 and back: from the musical source to the non-musical one,
      without clicks.
- [ ] Move latent 1 to 3 and to -3: at 3 it is {wording.effect(first)}. Press reset: all
      sliders go to 0.
{noise}- [ ] Turn ON off and on: it fades without a click. Move the gain while it plays: likewise.
- [ ] "a file ..." plays a file of yours, again and again; "from demo.wav" brings the demo back.
- [ ] Choose "inputs 1 and 2" and speak: the meters move, and the model answers after about
      {wording.latency_ms(model, wording.DEFAULT_BUFFER)} ms.
- [ ] Set the sampling rate to 44100 and turn the audio off and on: the bar turns red and says
      OUT OF TUNE, and so does the console. Set it back.
- [ ] Unlock, change the last word of `nn~ {slug}.ts morph {wording.DEFAULT_BUFFER}` to {low} and
      listen for a minute: no dropouts, or the computer is too slow for that buffer.
"""
