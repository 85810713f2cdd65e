// Draws spectrograms on canvases, in the colours of the theme.

const ROWS = 96;
const COLUMNS = 640;
const KEPT = 80;

const worker = new Worker("/static/spectrogram-worker.js");
const waiting = new Map(); // by id: what takes the levels
const known = new Map(); // by key: a promise of levels
let lastId = 0;

worker.onmessage = ({ data }) => {
  waiting.get(data.id)(data);
  waiting.delete(data.id);
};

/** Draw a buffer. A key (its address) spares computing the same again. */
export async function draw(canvas, buffer, key, seconds) {
  canvas.dataset.key = key;
  const levels = await levelsOf(buffer, key);
  if (canvas.dataset.key !== key) return; // another one was asked for meanwhile
  const share = Math.min(1, buffer.duration / seconds);
  const paint = () => fill(canvas, levels, share);
  canvas.repaint = paint;
  paint();
}

/** Draw all spectrograms anew, in the colours of another theme. */
export function repaintAll() {
  for (const canvas of document.querySelectorAll("canvas[data-key]")) canvas.repaint?.();
}

export function clear(canvas) {
  delete canvas.dataset.key;
  canvas.repaint = null;
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

function levelsOf(buffer, key) {
  if (!known.has(key)) known.set(key, compute(buffer));
  if (known.size > KEPT) known.delete(known.keys().next().value);
  return known.get(key);
}

function compute(buffer) {
  const samples = buffer.getChannelData(0).slice();
  const id = ++lastId;
  worker.postMessage({ id, samples, rate: buffer.sampleRate, columns: COLUMNS, rows: ROWS }, [
    samples.buffer,
  ]);
  return new Promise((resolve) => waiting.set(id, resolve));
}

function fill(canvas, { levels, columns, rows }, share) {
  const image = new ImageData(columns, rows);
  const colours = palette();
  for (let i = 0; i < levels.length; i++) {
    const from = levels[i] * 3;
    image.data.set([colours[from], colours[from + 1], colours[from + 2], 255], i * 4);
  }
  canvas.width = Math.round(columns / share);
  canvas.height = rows;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// From the surface of the page to its ink, by way of its accent: set in the style sheet.
function palette() {
  const style = getComputedStyle(document.documentElement);
  const stops = style.getPropertyValue("--spectrum").trim().split(/\s+/).map(parse);
  const colours = new Uint8ClampedArray(256 * 3);
  for (let level = 0; level < 256; level++) {
    const place = (level / 255) * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) {
      const [a, b] = [stops[below][c], stops[below + 1][c]];
      colours[level * 3 + c] = a + (b - a) * (place - below);
    }
  }
  return colours;
}

function parse(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
