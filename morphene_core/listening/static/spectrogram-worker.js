// Levels of a spectrogram with a logarithmic frequency axis, computed beside the page.
//
// A Hann window of 2048 samples, as many columns as asked for; each row is the density of power
// between two frequencies, by the cumulative power, so that rows narrower than a bin are right, too.

const SIZE = 2048;
const LOWEST = 50;
const RANGE_DB = 75;

self.onmessage = ({ data: { id, samples, rate, columns, rows } }) => {
  const levels = spectrogram(samples, rate, columns, rows);
  self.postMessage({ id, columns, rows, levels }, [levels.buffer]);
};

/** Return rows x columns of levels 0..255, the lowest frequency last. */
function spectrogram(samples, rate, columns, rows) {
  const power = new Float32Array(columns * rows);
  const edges = rowEdges(rate, rows);
  const [re, im, sums] = [new Float32Array(SIZE), new Float32Array(SIZE), new Float64Array(SIZE / 2 + 1)];
  let most = 1e-12;
  for (let column = 0; column < columns; column++) {
    const start = Math.round(((column + 0.5) / columns) * samples.length - SIZE / 2);
    for (let i = 0; i < SIZE; i++) re[i] = (samples[start + i] ?? 0) * WINDOW[i];
    im.fill(0);
    transform(re, im);
    for (let k = 0; k < SIZE / 2; k++) sums[k + 1] = sums[k] + re[k] * re[k] + im[k] * im[k];
    for (let row = 0; row < rows; row++) {
      const density = (at(sums, edges[row + 1]) - at(sums, edges[row])) / (edges[row + 1] - edges[row]);
      power[row * columns + column] = density;
      if (density > most) most = density;
    }
  }
  const levels = new Uint8Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const db = 10 * Math.log10(power[row * columns + column] / most + 1e-12);
      const place = (rows - 1 - row) * columns + column;
      levels[place] = Math.max(0, Math.min(255, 255 * (1 + db / RANGE_DB)));
    }
  }
  return levels;
}

function rowEdges(rate, rows) {
  const top = rate / 2;
  return Float64Array.from({ length: rows + 1 }, (_, row) => {
    const hertz = LOWEST * (top / LOWEST) ** (row / rows);
    return Math.min(SIZE / 2, (hertz * SIZE) / rate + 0.5); // bins lie at the middle of theirs
  });
}

function at(sums, place) {
  const below = Math.floor(place);
  const rest = place - below;
  return rest ? sums[below] + rest * (sums[below + 1] - sums[below]) : sums[below];
}

const WINDOW = Float32Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
const TURN = Float64Array.from({ length: SIZE }, (_, i) =>
  i < SIZE / 2 ? Math.cos((2 * Math.PI * i) / SIZE) : -Math.sin((2 * Math.PI * (i - SIZE / 2)) / SIZE),
);
const ORDER = Uint16Array.from({ length: SIZE }, (_, i) => {
  let reversed = 0;
  for (let bit = 1, n = i; bit < SIZE; bit <<= 1, n >>= 1) reversed = (reversed << 1) | (n & 1);
  return reversed;
});

/** Fourier transform in place (Cooley and Tukey, radix 2). */
function transform(re, im) {
  for (let i = 0; i < SIZE; i++) {
    const j = ORDER[i];
    if (j > i) [re[i], re[j], im[i], im[j]] = [re[j], re[i], im[j], im[i]];
  }
  for (let half = 1; half < SIZE; half *= 2) {
    const stride = SIZE / (2 * half);
    for (let k = 0; k < half; k++) {
      const [c, s] = [TURN[k * stride], TURN[SIZE / 2 + k * stride]];
      for (let a = k; a < SIZE; a += 2 * half) {
        const b = a + half;
        const [x, y] = [re[b] * c - im[b] * s, re[b] * s + im[b] * c];
        [re[b], im[b], re[a], im[a]] = [re[a] - x, im[a] - y, re[a] + x, im[a] + y];
      }
    }
  }
}
