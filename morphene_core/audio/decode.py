"""Audio files of any format, decoded block by block.

libsndfile decodes what it knows; everything else goes to ffmpeg where that is installed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from morphene_core.audio.claims import caf_shortage, claimed_frames
from morphene_core.audio.ffmpeg import FfmpegStream, ffmpeg_installed, open_with_ffmpeg
from morphene_core.audio.mpeg import mpeg_extent
from morphene_core.audio.ogg import ogg_extent
from morphene_core.audio.stream import (
    BLOCK_FRAMES,
    AudioStream,
    Block,
    NoAudioError,
    block_frames,
    damaged,
    regular_file,
)
from morphene_core.errors import InputError

__all__ = ["BLOCK_FRAMES", "AudioStream", "Block", "NoAudioError", "open_audio"]

_GAPLESS = 8 * 1152  # samples of an MP3 that its header may rightly exclude, delay and padding
_UNRECOGNISED = 1  # libsndfile's SF_ERR_UNRECOGNISED_FORMAT
_UNTOUCHED = ("FLAC", "MP3")  # decoders that leave the rest of a block as it was
_INSTALL = "has a format that only ffmpeg reads: install ffmpeg or convert it to WAV or FLAC"
_NO_END = "the end of the stream is missing"
_FLAC_ERROR = "FLAC__STREAM_DECODER_ERROR_STATUS"
# Files that begin so are audio (or video), however damaged. At 4: MP4; the last four: ASF (WMA),
# Matroska, WavPack, Monkey's Audio.
_SIGNATURES = (
    b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b".snd", b"caff", b"fLaC", b"OggS", b"ID3",
    b"NIST_1A", b" paf", b"Creative Voice", b"2BIT", b"PVF1",
    b"\x30\x26\xb2\x75", b"\x1aE\xdf\xa3", b"wvpk", b"MAC ",
)  # fmt: skip
_FFMPEG_SUFFIXES = {
    ".m4a", ".m4b", ".mp4", ".mov", ".aac", ".ac3", ".alac", ".amr", ".ape", ".dsf", ".mka",
    ".mkv", ".webm", ".wma", ".wv",
}  # fmt: skip


class SoundFileStream:
    """An `AudioStream` from libsndfile."""

    def __init__(self, sound: soundfile.SoundFile, descriptor: int) -> None:
        self._sound = sound
        self.sample_rate: int = sound.samplerate
        self.channels: int = sound.channels
        self.format = f"{sound.format} {sound.subtype}"
        self.announced = claimed_frames(sound.extra_info, sound.frames, descriptor)
        self.slack = 0
        self.lost = 0
        self.damage: str | None = None
        self.partial = False  # whether the file holds more than libsndfile would read
        if sound.format == "MP3":
            self._check_mpeg(descriptor)
        elif sound.format == "OGG":
            self._check_ogg(descriptor)

    def blocks(self) -> Iterator[Block]:
        """Give the audio from the beginning to where it ends or cannot be read any more."""
        size = block_frames(self.channels)
        while True:
            # A decoder that fails does not say how far it came: NaN marks what it did not reach.
            block = np.full((size, self.channels), np.nan, np.float32)
            try:
                block = self._sound.read(out=block)
            except soundfile.LibsndfileError as error:
                # A FLAC from a pipe does not say how long it is, and so ends with an error.
                if self.announced is not None or _FLAC_ERROR in self._sound.extra_info:
                    self.damage = _detail(error)
                if self._sound.format in _UNTOUCHED:
                    yield block[: int(np.argmax(np.append(np.isnan(block[:, 0]), True)))]
                return
            if not len(block):
                return
            yield block

    def _check_mpeg(self, descriptor: int) -> None:
        extent = mpeg_extent(descriptor)
        self.lost = extent.lost
        self.partial = extent.samples > self._sound.frames + _GAPLESS
        if self.partial or not extent.counted:
            self.announced = extent.samples + extent.lost

    def _check_ogg(self, descriptor: int) -> None:
        extent = ogg_extent(descriptor)
        self.lost = extent.lost
        self.partial = extent.chained > 0
        if not extent.ended:
            self.announced = None
            self.damage = _NO_END
        elif self.partial:
            self.lost += extent.chained


@contextmanager
def open_audio(path: Path) -> Iterator[AudioStream]:
    """Open an audio file of any format.

    Raises:
        NoAudioError: the file holds no audio in a format that anything here reads.
        InputError: the file is audio, and damaged from the beginning. As above, the text says what
            is wrong and what to do, not in which file.
        OSError: the file cannot be opened, or is no regular file.
    """
    with regular_file(path) as descriptor:
        if not os.fstat(descriptor).st_size:
            raise NoAudioError("0 bytes")
        try:
            # By descriptor: by name, libsndfile takes some suffixes for headerless audio.
            sound = soundfile.SoundFile(descriptor, closefd=False)
        except soundfile.LibsndfileError as error:
            reason = error
        else:
            with sound:
                stream = SoundFileStream(sound, descriptor)
                if not (stream.partial and ffmpeg_installed()):
                    yield stream
                    return
            reason = None
        with _open_other(path, descriptor, reason) as other:
            yield other


@contextmanager
def _open_other(
    path: Path, descriptor: int, reason: soundfile.LibsndfileError | None
) -> Iterator[AudioStream]:
    """Open what libsndfile does not read, or not completely.

    Args:
        path: the file.
        descriptor: the same file, open.
        reason: why libsndfile does not read it.
    """
    head = os.pread(descriptor, 12, 0)
    audio = head.startswith(_SIGNATURES) or head[4:8] == b"ftyp"
    if not ffmpeg_installed():
        if audio or path.suffix.casefold() in _FFMPEG_SUFFIXES:
            raise InputError(_INSTALL)
        raise NoAudioError("no known format")
    try:
        with open_with_ffmpeg(path) as stream:
            _correct(stream, head, descriptor)
            yield stream
    except NoAudioError as error:
        if not audio or error.intact:
            raise
        known = reason and reason.code != _UNRECOGNISED
        raise damaged(_detail(reason) if known else error.reason) from error


def _correct(stream: FfmpegStream, head: bytes, descriptor: int) -> None:
    """Replace what ffmpeg guesses by what the file itself says."""
    if head.startswith(b"OggS") and not ogg_extent(descriptor).ended:
        stream.announced, stream.damage = None, _NO_END
    if head.startswith(b"caff") and stream.announced:
        stream.announced = round(stream.announced * caf_shortage(descriptor))
    if stream.format == "MP3 mp3":
        extent = mpeg_extent(descriptor)
        stream.announced, stream.lost = extent.samples + extent.lost, extent.lost


def _detail(error: soundfile.LibsndfileError) -> str:
    detail: str = error.error_string
    return detail.removeprefix("Error : ").strip().rstrip(".")
