"""Audio in formats that libsndfile does not read, decoded by the command ffmpeg."""

import json
import os
import re
import selectors
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from morphene_core.audio.stream import Block, NoAudioError, block_frames, damaged

_STALL_SECONDS = 60.0  # without a byte: longer than a slow disk takes to wake up
_INPUT = ["-v", "repeat+error", "-protocol_whitelist", "file,pipe"]
_FACTS = "stream=codec_name,duration:stream_tags=DURATION:format=format_name,duration,nb_streams"
# What only names other files: nothing may be read that was not put into the folder as audio.
_PLAYLISTS = {"concat", "dash", "ffmetadata", "hls", "imf", "rtsp", "sdp"}
# Elementary streams have no header; ffprobe guesses their duration from the first bit rate.
_GUESSED = {"aac", "ac3", "eac3", "mp3", "dts", "amr", "loas", "latm", "truehd", "mpeg", "mpegts"}
_AU_HEADER = struct.Struct(">4sIIIII")
_SLACK = 4096  # two of the longest frames of a lossy codec: padding that a duration includes
_CODEC_FRAME = 1024  # what a packet that cannot be decoded held, about (AAC; others 960 to 2048)
_BROKEN_PACKET = re.compile(rb"Error while decoding stream|Error submitting packet to decoder")
_PREFIX = re.compile(r"^\[[^\]]*\] *")


def ffmpeg_installed() -> bool:
    """Return whether the commands ffmpeg and ffprobe can be found."""
    return bool(shutil.which("ffmpeg") and shutil.which("ffprobe"))


class FfmpegStream:
    """An `AudioStream` from a running ffmpeg."""

    def __init__(self, output: "_Output", facts: dict[str, Any], suffix: str) -> None:
        header = output.read(_AU_HEADER.size)
        if len(header) < _AU_HEADER.size:
            raise damaged(output.complaint())
        _, offset, _, _, self.sample_rate, self.channels = _AU_HEADER.unpack(header)
        output.read(offset - _AU_HEADER.size)
        self._output = output
        names = facts["format"]["format_name"].split(",")
        container = suffix if suffix in names else names[0]
        self.format = f"{container.upper()} {facts['streams'][0]['codec_name']}"
        seconds = None if names[0] in _GUESSED else _seconds(facts)
        self.announced = None if seconds is None else round(seconds * self.sample_rate)
        self.slack = _SLACK
        self.lost = 0
        self.damage: str | None = None

    def blocks(self) -> Iterator[Block]:
        """Give the audio from the beginning to where it ends or cannot be read any more."""
        frame_bytes = 4 * self.channels
        while True:
            data = self._output.read(block_frames(self.channels) * frame_bytes)
            frames = len(data) // frame_bytes
            if not frames:
                break
            samples = np.frombuffer(data, ">f4", frames * self.channels)
            yield samples.reshape(frames, self.channels).astype(np.float32)
        self.lost = max(self.lost, _CODEC_FRAME * self._output.broken_packets())
        if self._output.failed():
            self.damage = self._output.complaint()


@contextmanager
def open_with_ffmpeg(path: Path) -> Iterator[FfmpegStream]:
    """Decode the first audio stream of a regular file, at its own rate and channels.

    The process ends with the context, however much was read.

    Raises:
        NoAudioError: ffmpeg finds no audio in the file.
        InputError: the audio is damaged from the beginning.
    """
    source = f"file:{path.absolute()}"  # so that no name is taken for an option or a protocol
    facts = _probe(source)
    command = ["ffmpeg", "-nostdin", *_INPUT, "-i", source]
    # The header of an AU stream tells the rate and the channels that are really decoded.
    command += ["-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as errors:  # a file: a full pipe of messages would block ffmpeg
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            yield FfmpegStream(_Output(process, errors), facts, path.suffix[1:].casefold())
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


class _Output:
    """What an ffmpeg process writes."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        assert process.stdout
        self._process, self._errors = process, errors
        self._pipe = process.stdout.fileno()
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._pipe, selectors.EVENT_READ)
        self._stalled = False

    def read(self, size: int) -> bytes:
        """Read so many bytes, fewer only at the end."""
        data = bytearray()
        while len(data) < size and not self._stalled:
            if not self._ready.select(_STALL_SECONDS):
                self._stalled = True
            elif part := os.read(self._pipe, size - len(data)):
                data += part
            else:
                break
        return bytes(data)

    def failed(self) -> bool:
        """Return, once all is read, whether ffmpeg broke off."""
        return self._stalled or self._process.wait() != 0

    def broken_packets(self) -> int:
        """Return how many packets could not be decoded."""
        self._errors.seek(0)
        return sum(bool(_BROKEN_PACKET.search(line)) for line in self._errors)

    def complaint(self) -> str:
        """Return what ffmpeg says is wrong, in a few words."""
        if self._stalled:
            return f"ffmpeg gave nothing for {_STALL_SECONDS:.0f} s"
        self._errors.seek(0)
        return _complaint(self._errors.read())


def _probe(source: str) -> dict[str, Any]:
    """Return ffprobe's facts about the file and its first audio stream."""
    command = ["ffprobe", *_INPUT, "-select_streams", "a:0", "-show_entries", _FACTS]
    command += ["-of", "json", source]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_STALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise damaged(f"ffprobe takes over {_STALL_SECONDS:.0f} s") from error
    try:
        facts: dict[str, Any] = json.loads(done.stdout)
    except ValueError:  # ffprobe stopped while it wrote
        facts = {}
    names = facts.get("format", {}).get("format_name", "").split(",")
    if done.returncode:
        raise NoAudioError(_complaint(done.stderr))
    if not facts.get("streams") or _PLAYLISTS & set(names):
        raise NoAudioError(f"a file of the kind {names[0]}", intact=True)
    return facts


def _seconds(facts: dict[str, Any]) -> float | None:
    """Return the duration of the audio stream, where the file says it."""
    stream, container = facts["streams"][0], facts["format"]
    if "duration" in stream:
        return float(stream["duration"])
    if match := re.match(r"(\d+):(\d+):([\d.]+)", stream.get("tags", {}).get("DURATION", "")):
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    if container["nb_streams"] == 1 and "duration" in container:
        return float(container["duration"])
    return None


def _complaint(errors: bytes) -> str:
    """Return the first message of ffmpeg, without its prefix and the path of the file."""
    lines = errors.decode(errors="replace").splitlines() or ["no reason given"]
    return _PREFIX.sub("", lines[0]).rsplit(": ", 1)[-1].strip()
