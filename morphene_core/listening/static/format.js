// Numbers and times for people.

export function steps(value) {
  return value.toLocaleString("en");
}

export function shortSteps(value) {
  if (value >= 1e6) return `${trim(value / 1e6)}M`;
  return value >= 1e4 ? `${trim(value / 1e3)}k` : steps(value);
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
  return size < 0.0005 ? value.toExponential(0) : value.toFixed(digits);
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(s).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

export function tenths(seconds) {
  const whole = Math.round(seconds * 10);
  return `${clock(whole / 10)}.${whole % 10}`;
}

/** Return a duration in the two largest units that say something. */
export function duration(seconds) {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 10 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${hours} h`;
}

export function day(iso) {
  const time = new Date(iso);
  return Number.isNaN(time.getTime())
    ? iso
    : time.toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

export function words(name) {
  const text = name.replaceAll("_", " ").replace("nonmusical", "non-musical");
  return text[0].toUpperCase() + text.slice(1);
}

export function counted(count, one, many = `${one}s`) {
  return `${steps(count)} ${count === 1 ? one : many}`;
}

function trim(value) {
  return value.toFixed(1).replace(/\.0$/, "");
}
