"""Profiles that cannot work, found before the first step instead of as a crash in it."""

from morphene_core.errors import InputError
from morphene_core.profiles import Profile
from morphene_core.rave.host import HostedModel
from morphene_core.rave.instrument import require_morph


def refuse_the_impossible(profile: Profile, model: HostedModel) -> None:
    """Compare the length of an example with what RAVE does to it, and look at the architecture.

    Args:
        profile: whose examples they are.
        model: built from it.

    Raises:
        InputError: nothing is left of an example, or it is shorter than half a spectral window; or
            no instrument could be made of what is trained.
    """
    require_morph(model.rave, f"Profile {profile.name}")
    field = model.find_receptive_field()
    n_signal, module = profile.training.n_signal, model.rave
    bands = module.pqmf.n_band
    left = n_signal // bands
    if module.valid_signal_crop:
        left -= field[0] // bands + -(-field[1] // bands)
        if left <= 0:
            raise InputError(
                f"Profile {profile.name}: RAVE crops {sum(field):,} samples (its receptive field)"
                f" from each example, which has {n_signal:,}. Raise n_signal, or bind"
                " RAVE.valid_signal_crop = False."
            )
    for what, distance, length in (
        ("band", module.multiband_audio_distance, left),
        ("example", module.audio_distance, n_signal),
    ):
        longest = max(distance.multiscale_stft.scales)
        if longest // 2 >= length:
            raise InputError(
                f"Profile {profile.name}: half the longest spectral window ({longest:,} samples)"
                f" is longer than one {what} of an example ({length:,}). Raise n_signal, or bind"
                " smaller core.MultiScaleSTFT.scales."
            )
