let lastMs = Number.NaN;
let lastText = '';

/** A moment as the wire tells it: ISO 8601, UTC, milliseconds. The latest is remembered, since a frame and an answer tell the same. */
export function timestamp(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}
