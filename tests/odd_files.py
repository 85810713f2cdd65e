"""A folder of raw files as people have them: good ones, and bad ones of every kind.

`ODD_FILES` is the table: each file, how it is made, and what its examination has to say.
"""

import os
import socket
import struct
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 48_000


def sound(seed: int, seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """Return a take like a bowed string's: partials with vibrato, and noise over the whole band."""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    pitch = 220 * 2 ** (random.uniform(0, 24) / 12)
    vibrato = 1 + 0.004 * np.sin(2 * np.pi * random.uniform(4, 7) * t + random.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch * vibrato) / rate
    partials = [np.sin(k * phase + random.uniform(0, 6)) / k for k in range(1, 12)]
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * random.uniform(0.5, 2) * t + random.uniform(0, 6))
    wave = 0.12 * np.sum(partials, axis=0) * swell + 0.01 * random.standard_normal(len(t))
    return wave * np.clip(np.minimum(t, t[-1] - t) / 0.01, 0, 1)


def stereo(seed: int) -> np.ndarray:
    return side_by_side(sound(seed), 0.8 * sound(seed) + 0.2 * sound(seed + 500))


def side_by_side(*channels: np.ndarray) -> np.ndarray:
    return np.stack(channels, axis=1)


def ffmpeg(*arguments: str | Path) -> None:
    command = ["ffmpeg", "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True)


Make = Callable[[Path], object]


def write(seed: int, rate: int = RATE, audio: np.ndarray | None = None, **how: str) -> Make:
    """Make a file with libsndfile, whatever its suffix."""

    def make(path: Path) -> None:
        wave = sound(seed, rate=rate) if audio is None else audio
        soundfile.write(path, wave, rate, **{"format": "WAV", "subtype": "PCM_24"} | how)

    return make


def samples(audio: np.ndarray, rate: int = RATE, subtype: str = "PCM_24") -> Make:
    return write(0, rate, audio, subtype=subtype)


def encoded(seed: int, suffix: str, *options: str, audio: np.ndarray | None = None) -> Make:
    """Make a file with ffmpeg, whatever its name in the end."""

    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            wav, out = Path(folder) / "x.wav", Path(folder) / f"x.{suffix}"
            soundfile.write(wav, stereo(seed) if audio is None else audio, RATE, subtype="PCM_16")
            ffmpeg("-i", wav, *options, out)
            path.write_bytes(out.read_bytes())

    return make


def changed(make: Make, change: Callable[[bytes], bytes]) -> Make:
    def make_changed(path: Path) -> None:
        make(path)
        path.write_bytes(change(path.read_bytes()))

    return make_changed


def cut(make: Make, share: float) -> Make:
    """Leave out the end."""
    return changed(make, lambda data: data[: round(len(data) * (1 - share))])


def broken(make: Make, share: float) -> Make:
    """Overwrite a part in the middle with zeros."""

    def overwrite(data: bytes) -> bytes:
        start, length = len(data) // 2, round(len(data) * share)
        return data[:start] + bytes(length) + data[start + length :]

    return changed(make, overwrite)


def patched(make: Make, offset: int, value: bytes) -> Make:
    return changed(make, lambda data: data[:offset] + value + data[offset + len(value) :])


def of_flac_length(make: Make, frames: int) -> Make:
    """Change the length in a FLAC's header, 36 bits from the middle of byte 21; 0 is not known."""

    def change(data: bytes) -> bytes:
        field = (data[21] >> 4 << 36 | frames).to_bytes(5, "big")
        return data[:21] + field + data[26:]

    return changed(make, change)


def contents(data: bytes) -> Make:
    return lambda path: path.write_bytes(data)


def copy_of(name: str, *options: str) -> Make:
    """Make a copy of another file of the folder, in the format of the suffix."""
    return lambda path: ffmpeg("-i", f"file:{path.with_name(name)}", *options, f"file:{path}")


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes(24)) * 8)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    )


def make_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "text " * 500)


def make_socket(path: Path) -> None:
    # A socket's address is short; the folder's path may be long.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def make_link_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere.wav")


def make_forbidden(path: Path) -> None:
    write(90)(path)
    path.chmod(0)


def make_silent_video(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=size=64x64:duration=1", "-c:v", "mpeg4", path)


def make_wav_of_channels(path: Path) -> None:
    soundfile.write(path, np.zeros((100, 200)), RATE, subtype="PCM_16")


def with_value(value: float) -> np.ndarray:
    audio = sound(70)
    audio[50_000] = value
    return audio


def upsampled(seed: int, rate: int) -> np.ndarray:
    return soxr.resample(sound(seed, rate=rate), rate, RATE)


def louder(seed: int) -> np.ndarray:
    return np.clip(6 * sound(seed), -1, 1)


_NO_LENGTH = ("-b:a", "192k", "-write_xing", "0")
_T = np.arange(2 * RATE) / RATE
_DITHER = np.random.default_rng(9).integers(-1, 2, 2 * RATE) * 2.0**-15
_PP = 0.003 * sound(33)
_LOW_SINE = np.sin(2 * np.pi * 25 * _T)  # plateaus of many equal samples at 16 bits
_FULL = [
    ("aiff", "AIFF", "PCM_24"), ("au", "AU", "PCM_16"), ("avr", "AVR", "PCM_16"),
    ("caf", "CAF", "PCM_24"), ("flac", "FLAC", "PCM_16"), ("htk", "HTK", "PCM_16"),
    ("iff", "SVX", "PCM_16"), ("mat", "MAT4", "DOUBLE"), ("mat5", "MAT5", "FLOAT"),
    ("snd", "MPC2K", "PCM_16"), ("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"),
    ("paf", "PAF", "PCM_16"), ("pvf", "PVF", "PCM_16"), ("rf64", "RF64", "PCM_24"),
    ("sds", "SDS", "PCM_24"), ("sf", "IRCAM", "FLOAT"), ("voc", "VOC", "PCM_16"),
    ("w64", "W64", "PCM_24"), ("nist", "NIST", "PCM_16"), ("wav", "WAVEX", "PCM_32"),
    ("float.wav", "WAV", "FLOAT"), ("u8.wav", "WAV", "PCM_U8"), ("raw", "WAV", "PCM_16"),
]  # fmt: skip


@dataclass(frozen=True)
class OddFile:
    """One row of the table.

    Attributes:
        name: of the file.
        make: makes it.
        codes: of all its findings; of none, it is accepted.
    """

    name: str
    make: Make
    codes: frozenset[str]


def row(name: str, make: Make, *codes: str) -> OddFile:
    return OddFile(name, make, frozenset(codes))


ODD_FILES = [
    # Good ones, of every kind.
    *(
        row(f"good {kind}.{suffix}", write(100 + i, format=kind, subtype=subtype))
        for i, (suffix, kind, subtype) in enumerate(_FULL)
    ),
    row("good.xi", write(130, 44_100, format="XI", subtype="DPCM_16")),
    row("good.mp3", encoded(131, "mp3", "-b:a", "192k")),
    row("no length.mp3", encoded(132, "mp3", *_NO_LENGTH)),
    row("no length vbr.mp3", encoded(133, "mp3", "-q:a", "1", "-write_xing", "0")),
    row("good.m4a", encoded(134, "m4a", "-b:a", "192k")),
    row("lossless.m4a", encoded(135, "m4a", "-c:a", "alac")),
    row("good.aac", encoded(136, "aac", "-b:a", "192k")),
    row("good.wma", encoded(137, "wma", "-b:a", "192k")),
    row("good.ac3", encoded(138, "ac3", "-b:a", "448k")),
    row("good.mka", encoded(139, "mka", "-c:a", "flac")),
    row("good.wv", encoded(140, "wv")),
    row("ogg with flac.ogg", encoded(141, "ogg", "-c:a", "flac")),
    row("video with sound.mp4", encoded(142, "mp4", "-b:a", "192k")),
    row("from a pipe.flac", of_flac_length(encoded(143, "flac"), 0)),
    row("from a pipe.wav", patched(patched(write(144), 40, b"\xff" * 4), 4, b"\xff" * 4)),
    row("not closed.wav", patched(patched(write(145), 40, bytes(4)), 4, b"\x08\0\0\0")),
    row("wrong extension.wav", encoded(146, "flac")),
    row("wrong extension.m4a", write(147)),
    row("wrong extension.txt", encoded(148, "m4a", "-b:a", "192k")),
    row("low sine.wav", samples(_LOW_SINE, subtype="PCM_16")),
    row("192 kHz.wav", write(150, 192_000)),
    row("stereo.wav", samples(stereo(151))),
    row("two takes.wav", samples(side_by_side(sound(152), sound(153)))),
    # Names.
    row("name with spaces .wav", write(10)),
    row("'quotes\" `and` $(such).m4a", encoded(11, "m4a", "-b:a", "192k")),
    row("ünïcödé ♫.m4a", encoded(12, "m4a", "-b:a", "192k")),
    row("two\nlines.m4a", encoded(13, "m4a", "-b:a", "192k")),
    row("-i.m4a", encoded(14, "m4a", "-b:a", "192k")),
    row("http:colons.m4a", encoded(15, "m4a", "-b:a", "192k")),
    row("%d.m4a", encoded(16, "m4a", "-b:a", "192k")),
    row(os.fsdecode(b"latin\xff.wav"), contents(b"x"), "unreadable"),
    # Truncated and broken.
    *(
        row(f"cut {share:.0%} {name}", cut(make, share), code)
        for share, code in ((0.03, "part missing"), (0.4, "truncated"))
        for name, make in [
            ("x.wav", write(20)),
            ("x.aiff", write(21, format="AIFF")),
            ("x.au", write(22, format="AU")),
            ("x.w64", write(23, format="W64")),
            ("x.rf64", write(24, format="RF64")),
            ("x.caf", write(25, format="CAF", audio=sound(25, 6))),
            ("x.flac", write(26, format="FLAC", audio=sound(26, 6))),
            ("x.mat", write(27, format="MAT4", subtype="FLOAT")),
            ("x.mat5", write(28, format="MAT5", subtype="FLOAT")),
            ("x.avr", write(29, format="AVR", subtype="PCM_16")),
            ("x.voc", write(30, format="VOC", subtype="PCM_16")),
            ("x.nist", write(31, format="NIST")),
            ("x.mp3", encoded(32, "mp3", "-b:a", "192k")),
            ("x.mka", encoded(34, "mka", "-c:a", "flac", audio=sound(34, 6))),
        ]
    ),
    row("cut 3%.ogg", cut(write(35, format="OGG", subtype="VORBIS"), 0.03), "truncated"),
    row("cut 40%.ogg", cut(write(36, format="OGG", subtype="VORBIS"), 0.4), "truncated"),
    row("cut 3%.opus", cut(write(37, format="OGG", subtype="OPUS"), 0.03), "truncated"),
    row("cut 40%.opus", cut(write(38, format="OGG", subtype="OPUS"), 0.4), "truncated"),
    row("cut 40%.m4a", cut(encoded(39, "m4a"), 0.4), "unreadable"),
    row("cut 40% start.m4a", cut(encoded(40, "m4a", "-movflags", "faststart"), 0.4), "truncated"),
    row("cut no length.mp3", cut(encoded(41, "mp3", *_NO_LENGTH), 0.401), "part missing"),
    row("broken 10%.flac", broken(write(42, format="FLAC"), 0.1), "truncated"),
    row("broken 10%.mp3", broken(encoded(43, "mp3", "-b:a", "192k"), 0.1), "truncated"),
    row("broken 10%.ogg", broken(write(44, format="OGG", subtype="VORBIS"), 0.1), "truncated"),
    row("broken 10%.opus", broken(write(45, format="OGG", subtype="OPUS"), 0.1), "truncated"),
    row("broken 10%.m4a", broken(encoded(46, "m4a", "-b:a", "192k"), 0.1), "truncated"),
    # No audio, or nothing of it.
    row("empty.wav", contents(b""), "no audio"),
    row("text.wav", contents(b"a text\n" * 200), "no audio"),
    row("picture.png", contents(png()), "no audio"),
    row("picture.wav", contents(png()), "no audio"),
    row("score.pdf", contents(b"%PDF-1.7\n" + bytes(2000) + b"%%EOF"), "no audio"),
    row("archive.zip", make_zip, "no audio"),
    row("noise.raw", contents(np.random.default_rng(1).bytes(20_000)), "no audio"),
    row("zeros.wav", contents(bytes(20_000)), "no audio"),
    row("silent video.mp4", make_silent_video, "no audio"),
    row("playlist.m3u8", contents(b"#EXTM3U\n#EXTINF:2,\ngood.m4a\n#EXT-X-ENDLIST\n"), "no audio"),
    row("header alone.wav", changed(write(50), lambda data: data[:30]), "unreadable"),
    row("no samples.wav", samples(np.zeros((0, 1))), "zero frames"),
    row("size 0.wav", patched(write(51), 40, bytes(4)), "zero frames"),
    row("200 channels.wav", make_wav_of_channels, "absurd header"),
    row("10 Hz.wav", patched(write(52), 24, struct.pack("<I", 10)), "absurd header"),
    row("4 GHz.wav", patched(write(53), 24, struct.pack("<I", 1 << 30)), "absurd header"),
    row("400 hours.flac", of_flac_length(write(54, format="FLAC"), (1 << 36) - 1), "absurd header"),
    row("nan.wav", samples(with_value(np.nan), subtype="FLOAT"), "non-finite samples"),
    row("inf.wav", samples(with_value(-np.inf), subtype="FLOAT"), "non-finite samples"),
    row("1e20.wav", samples(with_value(1e20), subtype="FLOAT"), "absurd header"),
    row("silent.wav", samples(np.zeros(RATE)), "silent"),
    row("dither.wav", samples(_DITHER, subtype="PCM_16"), "silent"),
    row("cancels.wav", samples(side_by_side(sound(55), -sound(55))), "mono sum cancels"),
    # No regular files.
    row("fifo.wav", lambda path: os.mkfifo(path), "unreadable"),
    row("socket.wav", make_socket, "unreadable"),
    row("folder.wav", lambda path: path.mkdir(), "unreadable"),
    row("device.wav", lambda path: path.symlink_to("/dev/zero"), "unreadable"),
    row("dangling.wav", make_dangling, "unreadable"),
    row("loop.wav", make_link_loop, "unreadable"),
    row("never there.wav", lambda path: None, "unreadable"),
    row("forbidden.wav", make_forbidden, "unreadable"),
    # Doubtful.
    row("clipped.wav", samples(louder(60), subtype="PCM_16"), "clipped"),
    row("clipped 24.wav", samples(louder(61)), "clipped"),
    row("clipped, then attenuated.wav", samples(0.3 * louder(62), subtype="PCM_16"), "clipped"),
    row("clipped.float.wav", samples(0.7 * louder(63), subtype="FLOAT"), "clipped"),
    row("offset.wav", samples(sound(64) + 0.05), "DC offset"),
    row("upsampled from 22 kHz.wav", samples(upsampled(65, 22_050)), "band-limited"),
    row("upsampled from 32 kHz.wav", samples(upsampled(66, 32_000)), "band-limited"),
    row("64 kbit.mp3", encoded(67, "mp3", "-b:a", "64k"), "band-limited"),
    row("8 kHz.wav", write(68, 8_000), "low sample rate"),
    row("psion.wve", write(69, 8_000, format="WVE", subtype="ALAW"), "low sample rate"),
    row("left only.wav", samples(side_by_side(sound(71), 0 * sound(71))), "dead channel"),
    row("5.1.wav", samples(side_by_side(*map(sound, range(72, 78)))), "more than two channels"),
    row("pp.wav", samples(_PP), "very low level"),
    row("click.wav", samples(sound(80, 0.05)), "very short"),
    # Once more.
    row("zz copy.raw", copy_of("stereo.wav", "-c", "copy", "-f", "wav"), "duplicate"),
    row("zz copy.flac", copy_of("stereo.wav"), "duplicate"),
    row("zz copy.ogg", copy_of("stereo.wav", "-c:a", "libvorbis", "-q:a", "6"), "duplicate"),
    row("zz copy.mp3", copy_of("stereo.wav", "-b:a", "192k"), "duplicate"),
    row("zz copy.m4a", copy_of("stereo.wav", "-b:a", "192k"), "duplicate"),
    row("zz quieter and inverted.wav", copy_of("stereo.wav", "-af", "volume=-0.2"), "duplicate"),
    row("zz 44.1 kHz.wav", copy_of("stereo.wav", "-ar", "44100"), "duplicate"),
    row("zz 8 bits.wav", copy_of("stereo.wav", "-c:a", "pcm_u8"), "duplicate"),
]  # fmt: skip
