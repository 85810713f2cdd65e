// Plays one of several sounds, and changes between them in the middle without losing the place.
//
// All sounds of a set run at once, started at one sample of one AudioContext and looped alike, each
// behind a gain of its own. To change to another is to move gains, so that position is kept by
// construction. A "take" is such a set of sources from one start to one stop.

const RATE = 48000; // of all renders: nothing is resampled
const LEAD = 0.03; // s from now to a start, so that all sources make it
const SWITCH = 0.002; // s, time constant: 98 % after 8 ms
const EDGE = 0.006; // s, of the ramps at a start and a stop
const CEILING = 0.98; // a peak after matching stays below
const KEPT = 48; // decoded sounds that stay in memory

export class Engine extends EventTarget {
  #sounds = new Map(); // by id: url, gain, buffer, peak, level, error
  #weights = new Map(); // by id: what is to be heard, 0..1
  #decoded = new Map(); // by url: a promise of a buffer
  #take = null;
  #set = 0;
  #offset = 0;
  #loop = null;
  #waiting = false; // whether it is to play as soon as something is there

  constructor() {
    super();
    this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this.output = this.context.createGain();
    this.output.connect(this.context.destination);
  }

  /** Replace the sounds: a list of {id, url, gain}. What is heard goes on at the same position. */
  setSounds(list) {
    this.#set += 1;
    const set = this.#set;
    this.#sounds = new Map(list.map((sound) => [sound.id, { ...sound, buffer: null, error: null }]));
    const heardFirst = [...list].sort((a, b) => this.#weight(b.id) - this.#weight(a.id));
    const loading = heardFirst.map((sound) => this.#load(set, this.#sounds.get(sound.id)));
    return Promise.all(loading).then(() => {
      // Nothing of this set could take over: what was heard before is not there any more.
      if (set === this.#set && this.#take && this.#take.set !== set) this.pause();
    });
  }

  /** Hear one sound alone. */
  select(id) {
    this.mix(new Map([[id, 1]]));
  }

  /** Hear several sounds at once: a map of weights by id. */
  mix(weights) {
    this.#weights = weights;
    this.#applyWeights();
    this.#changed();
  }

  /** Set the gain by which each sound is matched in loudness: a map by id. */
  match(gains) {
    for (const [id, sound] of this.#sounds) sound.gain = gains.get(id) ?? 1;
    this.#applyWeights();
  }

  async play() {
    if (this.playing) return;
    this.#waiting = true;
    await this.context.resume();
    if (this.#waiting && !this.#take && this.length) this.#start(this.#offset);
    this.#changed();
  }

  pause() {
    if (this.#take) this.#offset = this.#positionAt(this.#nextStart());
    this.#waiting = false;
    this.#stop(this.#nextStart());
    this.#changed();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  seek(seconds) {
    const [from, to] = this.#bounds();
    this.#offset = Math.min(Math.max(seconds, from), Math.max(from, to - 0.01));
    if (this.#take) this.#start(this.#offset);
    this.#changed();
  }

  /** Loop from one second to another, or over everything with null. */
  setLoop(loop) {
    this.#loop = loop;
    const [from, to] = this.#bounds();
    const here = this.position;
    if (here < from || here >= to) this.seek(from);
    else if (this.#take) this.#start();
    this.#changed();
  }

  get loop() {
    return this.#loop;
  }

  get playing() {
    return Boolean(this.#take) || this.#waiting;
  }

  /** Length of the longest sound in seconds. */
  get length() {
    return Math.max(0, ...[...this.#sounds.values()].map((sound) => sound.buffer?.duration ?? 0));
  }

  /** Where playback is, in seconds. */
  get position() {
    return this.#take ? this.#positionAt(this.context.currentTime) : this.#offset;
  }

  /** Where what leaves the loudspeaker at this moment is: for the eye. */
  get heardPosition() {
    const late = this.#take ? this.context.outputLatency || 0 : 0;
    return Math.max(this.#take ? Math.min(this.#take.offset, this.position) : 0, this.position - late);
  }

  /** Set the volume of everything, 0..1. */
  set volume(value) {
    this.output.gain.setTargetAtTime(value, this.context.currentTime, SWITCH);
  }

  get weights() {
    return this.#weights;
  }

  buffer(id) {
    return this.#sounds.get(id)?.buffer ?? null;
  }

  error(id) {
    return this.#sounds.get(id)?.error ?? null;
  }

  /** Whether a sound is softer than matching asks for, because its peak allows no more. */
  isLimited(id) {
    const sound = this.#sounds.get(id);
    return Boolean(sound?.buffer) && sound.gain * sound.peak > CEILING * 1.01;
  }

  async #load(set, sound) {
    try {
      sound.buffer = await this.#decode(sound.url);
      sound.peak = peakOf(sound.buffer);
    } catch (error) {
      sound.error = error.message;
    }
    if (set !== this.#set) return;
    if (this.#take || this.#waiting) this.#join(sound);
    this.dispatchEvent(new CustomEvent("loaded", { detail: sound }));
  }

  // A sound that has just been decoded comes in where the others are.
  #join(sound) {
    if (!sound.buffer) return;
    const take = this.#take;
    if (take && take.set === this.#set && sound.buffer.duration <= take.length) {
      const when = this.#nextStart();
      this.#addVoice(take, sound, when, this.#positionAt(when));
    } else if (!take || this.#weight(sound.id) > 0) {
      this.#start();
    }
  }

  #decode(url) {
    if (!this.#decoded.has(url)) {
      const sound = fetchAudio(url).then((data) => this.context.decodeAudioData(data));
      sound.catch(() => this.#decoded.delete(url));
      this.#decoded.set(url, sound);
    }
    const sound = this.#decoded.get(url);
    this.#decoded.delete(url); // the latest used is the last to go
    this.#decoded.set(url, sound);
    for (const old of this.#decoded.keys()) {
      if (this.#decoded.size <= KEPT) break;
      this.#decoded.delete(old);
    }
    return sound;
  }

  // Begin a take; without an offset it goes on where the one before it is.
  #start(offset) {
    const when = this.#nextStart();
    const here = offset ?? (this.#take ? this.#positionAt(when) : this.#offset);
    const length = this.length;
    const bus = this.context.createGain();
    bus.gain.setValueAtTime(0, when);
    bus.gain.linearRampToValueAtTime(1, when + EDGE);
    bus.connect(this.output);
    const loop = this.#loop ?? [0, length];
    const at = Math.round(Math.min(here, loop[1]) * RATE) / RATE;
    const take = { set: this.#set, bus, when, offset: at, length, loop, voices: new Map() };
    for (const sound of this.#sounds.values()) {
      if (sound.buffer) this.#addVoice(take, sound, when, at);
    }
    this.#stop(when);
    this.#take = take;
    this.#waiting = false;
  }

  // The take goes on until the next one begins, and fades while that one rises.
  #stop(when) {
    const take = this.#take;
    if (!take) return;
    this.#take = null;
    take.bus.gain.cancelScheduledValues(when);
    take.bus.gain.setValueAtTime(1, when);
    take.bus.gain.linearRampToValueAtTime(0, when + EDGE);
    for (const { source } of take.voices.values()) source.stop(when + 2 * EDGE);
    const any = take.voices.values().next().value;
    if (any) any.source.onended = () => take.bus.disconnect();
  }

  #addVoice(take, sound, when, at) {
    const source = this.context.createBufferSource();
    const gain = this.context.createGain();
    source.buffer = this.#fitted(sound.buffer, take.length);
    source.loop = true;
    [source.loopStart, source.loopEnd] = take.loop;
    gain.gain.value = this.#gain(sound);
    source.connect(gain).connect(take.bus);
    source.start(when, Math.round(at * RATE) / RATE);
    take.voices.set(sound.id, { source, gain });
  }

  // Sources loop alike only if their buffers are equally long.
  #fitted(buffer, seconds) {
    const length = Math.round(seconds * RATE);
    if (buffer.length === length) return buffer;
    const longer = this.context.createBuffer(buffer.numberOfChannels, length, RATE);
    for (let i = 0; i < buffer.numberOfChannels; i++) longer.copyToChannel(buffer.getChannelData(i), i);
    return longer;
  }

  #applyWeights() {
    const take = this.#take;
    if (!take || take.set !== this.#set) return;
    const heard = [...this.#sounds.values()].filter((sound) => sound.buffer && this.#weight(sound.id));
    if (!heard.every((sound) => take.voices.has(sound.id))) return this.#start();
    for (const [id, { gain }] of take.voices) {
      const target = this.#gain(this.#sounds.get(id));
      gain.gain.setTargetAtTime(target, this.context.currentTime, SWITCH);
    }
  }

  #gain(sound) {
    return this.#weight(sound.id) * Math.min(sound.gain, CEILING / Math.max(sound.peak, 1e-9));
  }

  #weight(id) {
    return this.#weights.get(id) ?? 0;
  }

  #positionAt(time) {
    const { offset, when, loop } = this.#take;
    const [from, to] = loop;
    const straight = offset + Math.max(0, time - when);
    return straight < to ? straight : from + ((straight - from) % (to - from));
  }

  #bounds() {
    return this.#loop ?? [0, this.length];
  }

  #nextStart() {
    return Math.ceil((this.context.currentTime + LEAD) * RATE) / RATE;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

async function fetchAudio(url) {
  const response = await fetch(url);
  if (response.ok) return response.arrayBuffer();
  const data = await response.json().catch(() => ({}));
  throw new Error(data.error ?? `The server failed (${response.status}).`);
}

function peakOf(buffer) {
  let peak = 0;
  for (const value of buffer.getChannelData(0)) peak = Math.max(peak, Math.abs(value));
  return peak;
}
