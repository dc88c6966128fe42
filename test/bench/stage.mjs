/** The processes of a run, and how their cost is measured. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { Child } from './child.mjs';
import { API_KEY, JWT_SECRET } from './workload.cjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PLENTY = '1000000000';
const WARM_UP_ROUNDS = 2;

/** Defaults, plus API key, rate limit, request ids and metrics; limits so high that they are counted and never reached. */
const PROFILE = {
  LOG_LEVEL: 'error',
  RUN_MODE: 'production',
  JWT_SECRET,
  API_KEY,
  WEBSOCKET_MAX_CONNECTIONS: '0',
  RATELIMIT_ENABLED: 'true',
  RATELIMIT_HTTP_REQUESTS_PER_SECOND: PLENTY,
  RATELIMIT_HTTP_BURST_SIZE: PLENTY,
  RATELIMIT_WS_CONNECTIONS_PER_MINUTE: PLENTY,
};

export class Stage {
  #children = [];
  #folder = mkdtempSync(join(tmpdir(), 'ara-bench-'));

  /** @param options `service`: path of a built main.js; `smoke`: small and short; `log`: where progress goes. */
  constructor(options) {
    this.options = options;
  }

  progress(text) {
    this.options.log(text);
  }

  async ara(env = {}) {
    const child = await Child.service(this.options.service, { ...PROFILE, ...env }, this.#folder);
    return this.#keep(new Contestant(child, 'ws', (times) => child.ask({ times })));
  }

  /** The other servers broadcast when they are told to; Ara when somebody posts. */
  raw(headers = 0) {
    return this.#compared('servers/raw.mjs', [headers]);
  }

  socketIo() {
    return this.#compared('servers/socket-io.mjs', [], 'socket.io');
  }

  nest() {
    return this.#compared('servers/nest.ts', [], 'ws', { execArgv: ['-r', here('../support/swc-register.cjs')] });
  }

  async load(file) {
    return this.#keep(await Child.fork(here(`load/${file}.mjs`)));
  }

  /** Clients of a server, in a process of their own. */
  async listeners(server, count, first = 0) {
    const load = await this.load('listeners');
    await load.ask({ do: 'connect', port: server.port, kind: server.kind, count, first });
    return load;
  }

  async end() {
    await Promise.all(this.#children.splice(0).map((child) => child.end()));
  }

  close() {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #compared(file, args, kind = 'ws', options = {}) {
    const child = await Child.fork(here(file), args, { ...options, env: { ...process.env, NODE_ENV: 'production' } });
    return this.#keep(new Contestant(child, kind, (times) => child.ask({ times })));
  }

  #keep(child) {
    this.#children.push(child);
    return child;
  }
}

class Contestant {
  constructor(child, kind, broadcast) {
    this.child = child;
    this.kind = kind;
    this.broadcast = broadcast;
  }

  get port() {
    return this.child.port;
  }

  get cpuMicros() {
    return this.child.cpuMicros;
  }

  get rssBytes() {
    return this.child.rssBytes;
  }

  end() {
    return this.child.end();
  }
}

/** One POST to Ara with the key; throws unless it is answered 200. */
export async function post(port, path, body) {
  const headers = { 'x-api-key': API_KEY, 'content-type': 'application/json' };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`);
  return { answer, body: JSON.parse(text) };
}

/**
 * Measures each contestant once per round, in an order that rotates, so that what else happens on the machine hits all of
 * them alike; what comes before, while V8 still compiles, does not count. Gives the figures per contestant and round.
 */
export async function interleaved(stage, what, rounds, contestants, measure) {
  const names = Object.keys(contestants);
  const figures = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + WARM_UP_ROUNDS) % names.length];
      const figure = await measure(contestants[name]);
      if (round >= 0) figures[name].push(figure);
    }
    if (round >= 0) stage.progress(`${what}: round ${round + 1} of ${rounds}`);
  }
  return figures;
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
}

/** How many times cheaper `ours` is: the median of the ratios of each round. */
export function advantage(theirs, ours) {
  return median(ours.map((value, i) => theirs[i] / value));
}
