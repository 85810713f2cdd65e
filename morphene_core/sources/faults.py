"""What makes a recording unusable or doubtful, by the measurements of its scan."""

import numpy as np

from morphene_core.audio.longterm import band_edge
from morphene_core.audio.loudness import SILENT_PEAK
from morphene_core.audio.stream import AudioStream
from morphene_core.sources.examination import Code, Finding
from morphene_core.sources.scan import Scan

_RATES = (1_000, 1_000_000)  # Hz: beyond, nothing was ever an audio converter's
_MOST_CHANNELS = 64  # 7th-order ambisonics
_LONGEST_HOURS = 100.0  # announced: many times the longest session
_MISSING_SHARE = 0.05
_CANCELLED_DB = -30.0  # of the mono mix, relative to the channels: nothing of use remains
_DEAD_DB = -50.0  # relative to the loudest channel: an open input, not a microphone
_FULL_RATE = 44_100  # Hz
_CLIPPED_PLACES = 3  # one or two may be chance
_DC_LEVEL = 0.005  # -46 dBFS; rounding to 8 bits alone may make 0.004
_DC_SHARE = 0.05  # of the AC level
_DC_SECONDS = 1.0  # a shorter file may hold a few periods of a low note, whose mean is not zero
_LOW_PEAK_DBFS = -48.0  # fewer than 8 of 16 bits are used
_SHORT_SECONDS = 0.4  # one gating block of ITU-R BS.1770


def decibels(power: float) -> float:
    """Return a power in dB, -200 for silence."""
    return float(10 * np.log10(power + 1e-20))


def absurd_header(stream: AudioStream) -> Finding | None:
    """Return what is impossible in the header, before anything is read by it."""
    hours = (stream.announced or 0) / max(stream.sample_rate, 1) / 3600
    if not _RATES[0] <= stream.sample_rate <= _RATES[1]:
        text = f"a sample rate of {stream.sample_rate:,} Hz"
    elif not 1 <= stream.channels <= _MOST_CHANNELS:
        text = f"{stream.channels:,} channels"
    elif hours > _LONGEST_HOURS:
        text = f"a length of {hours:,.0f} hours"
    else:
        return None
    return Finding("absurd header", f"announces {text}: export it again")


def find_faults(stream: AudioStream, scan: Scan) -> list[Finding]:
    """Judge a recording that was read to its end.

    Returns:
        What rejects it, or else the warnings.
    """
    missing = _missing(stream, scan)
    if not scan.frames:
        empty = Finding("zero frames", "holds no samples: remove it or export it again")
        return [missing or empty]
    found = [missing, *_impossible_samples(stream, scan), _silence(scan), _cancellation(scan)]
    faults = [fault for fault in found if fault]
    rejecting = [fault for fault in faults if fault.rejects]
    return rejecting or faults + _defects(stream, scan)


def _missing(stream: AudioStream, scan: Scan) -> Finding | None:
    rate = stream.sample_rate
    if stream.damage and (stream.announced is None or not scan.frames):
        text = f"breaks off after {scan.frames / rate:.1f} s ({stream.damage})"
        return Finding("truncated", f"{text}: copy or export it again")
    announced = stream.announced or scan.frames
    short = announced - scan.frames
    missing = max(stream.lost, short if short > stream.slack else 0)
    if missing <= 0:
        return None
    total = max(announced, missing)
    reason = f"; it breaks off ({stream.damage})" if stream.damage else ""
    text = (
        f"{missing / rate:,.2f} of {total / rate:,.2f} s ({missing / total:.1%}) are missing or"
        f" damaged{reason}: copy or export it again"
    )
    return Finding("truncated" if missing / total > _MISSING_SHARE else "part missing", text)


def _impossible_samples(stream: AudioStream, scan: Scan) -> list[Finding | None]:
    found: list[Finding | None] = []
    kinds: list[tuple[Code, str, tuple[int, int]]] = [
        ("non-finite samples", "NaN or infinite", scan.not_finite),
        ("absurd header", "absurdly large", scan.absurd),
    ]
    for code, name, (count, first) in kinds:
        if count:
            text = f"{count:,} samples are {name}, the first at {first / stream.sample_rate:.2f} s"
            found.append(Finding(code, f"{text}: export it again"))
    return found


def _silence(scan: Scan) -> Finding | None:
    if scan.peak > SILENT_PEAK or scan.not_finite[0] or scan.absurd[0]:
        return None
    return Finding("silent", f"silent (peak {_peak(scan)}): remove it or replace it by sound")


def _cancellation(scan: Scan) -> Finding | None:
    power = float(scan.energy.mean())
    level = decibels(scan.mono_energy / power) if power else 0.0
    if len(scan.energy) < 2 or level > _CANCELLED_DB:
        return None
    text = f"the channels cancel in mono ({level:.0f} dB): invert the polarity of one of them"
    return Finding("mono sum cancels", text)


def _defects(stream: AudioStream, scan: Scan) -> list[Finding]:
    seconds = scan.frames / stream.sample_rate
    found = [
        _clipping(scan),
        _offset(scan) if seconds >= _DC_SECONDS else None,
        _band_limit(stream, scan) if seconds >= _SHORT_SECONDS else None,
        *_channel_defects(scan),
    ]
    if stream.sample_rate < _FULL_RATE:
        text = f"{stream.sample_rate / 1000:g} kHz: nothing above {stream.sample_rate / 2000:g} kHz"
        found.append(Finding("low sample rate", f"{text}; record at 44.1 or 48 kHz"))
    if decibels(scan.peak**2) < _LOW_PEAK_DBFS:
        found.append(Finding("very low level", f"peak {_peak(scan)}: record louder"))
    if seconds < _SHORT_SECONDS:
        text = f"{seconds * 1000:.0f} ms are too short for a loudness of their own (400 ms)"
        found.append(Finding("very short", f"{text}: check that the file is complete"))
    return [finding for finding in found if finding]


def _clipping(scan: Scan) -> Finding | None:
    places = scan.clipping.count
    if places < _CLIPPED_PLACES:
        return None
    return Finding("clipped", f"clipped at {places:,} places: record lower")


def _offset(scan: Scan) -> Finding | None:
    # The median of blocks: a real offset is in each of them. The last block may be a short one.
    offset = float(np.median(scan.block_means[:-1] or scan.block_means))
    swing = np.sqrt(max(scan.mono_energy / scan.frames - offset**2, 0.0))
    if abs(offset) < max(_DC_LEVEL, _DC_SHARE * swing):
        return None
    text = (
        f"DC offset of {offset:+.3f} of full scale ({offset / max(swing, 1e-9):+.0%} of the level)"
    )
    return Finding("DC offset", f"{text}: the preparation removes it; check the interface")


def _band_limit(stream: AudioStream, scan: Scan) -> Finding | None:
    if stream.sample_rate < _FULL_RATE:
        return None
    found = band_edge(scan.spectrum.power(), scan.spectrum.hz_per_bin)
    if not found:
        return None
    text = f"the band ends at {found[0] / 1000:.1f} kHz with a drop of {found[1]:.0f} dB"
    return Finding("band-limited", f"{text}: use the original, no upsampled or lossy copy")


def _channel_defects(scan: Scan) -> list[Finding | None]:
    found: list[Finding | None] = []
    channels = len(scan.energy)
    dead = np.flatnonzero(scan.energy <= scan.energy.max() * 10 ** (_DEAD_DB / 10)) + 1
    if len(dead):
        names = ", ".join(map(str, dead))
        text = f"no sound in channel {names} of {channels}: record or export in mono"
        found.append(Finding("dead channel", text))
    if channels > 2:
        text = f"{channels} channels, which are mixed to mono: export the one that you mean"
        found.append(Finding("more than two channels", text))
    return found


def _peak(scan: Scan) -> str:
    return f"{decibels(scan.peak**2):.0f} dBFS"
