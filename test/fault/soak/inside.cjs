/**
 * Loaded into the service under soak, by NODE_OPTIONS: on SIGUSR2 it writes what only the process itself knows as a line of
 * JSON to the file that SOAK_VITALS names. Memory is told after a full collection, so that what is left is held.
 *
 * The delay of the event loop is told twice: as it was, and less the time in which the kernel had no core for it, which is
 * the doing of whatever else runs on the machine.
 */
const { appendFileSync, readFileSync } = require('node:fs');
const { createHistogram } = require('node:perf_hooks');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

const EVERY_MS = 10;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** Of the thread that runs the loop, in ms. */
const waitedMs = () => Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]) / 1e6;

class Delays {
  #own = createHistogram();
  #all = createHistogram();

  record(allMs, ownMs) {
    this.#all.record(Math.max(1, Math.round(allMs * 1000)));
    this.#own.record(Math.max(1, Math.round(ownMs * 1000)));
  }

  get figures() {
    return { p99Ms: this.#all.percentile(99) / 1000, ownP99Ms: this.#own.percentile(99) / 1000 };
  }
}

let window = new Delays();
/** From the first question on: what comes before is the start. */
let whole;
let last;

function begin() {
  last = { at: performance.now(), waited: waitedMs() };
}

setInterval(() => {
  const now = { at: performance.now(), waited: waitedMs() };
  const delay = now.at - last.at - EVERY_MS;
  const own = delay - (now.waited - last.waited);
  window.record(delay, own);
  whole?.record(delay, own);
  last = now;
}, EVERY_MS).unref();
begin();

process.on('SIGUSR2', () => {
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  const resources = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const told = { rss, heapUsed, loop: window.figures, whole: (whole ?? window).figures, resources };
  appendFileSync(process.env.SOAK_VITALS, `${JSON.stringify(told)}\n`);
  window = new Delays();
  whole ??= new Delays();
  // The collection was ours.
  begin();
});
