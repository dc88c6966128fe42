const RETRY_MS = 3000;
const JITTER_MS = 1000;

/** When an EventSource should come back after its stream ended, in milliseconds: around 3 s, spread so that a herd does not return as one. */
export function retryMs(random: () => number = Math.random): number {
  return Math.round(RETRY_MS - JITTER_MS / 2 + random() * JITTER_MS);
}

/** The extra wait that a client is given at a shutdown, in milliseconds: anywhere from 0 to 5000. */
export function shutdownJitterMs(random: () => number = Math.random): number {
  return Math.floor(random() * 5001);
}
