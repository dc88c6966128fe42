/** The processes of a run, and how their cost is measured. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { Child, freePort } from './child.mjs';
import { nchan, program, startPostgres, startRedis } from './packages.mjs';
import { centrifugoConfig, nchanConfig } from './servers/configurations.mjs';
import { API_KEY, broadcastBody, JWT_SECRET, publishedBody } from './workload.cjs';

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
  // Nobody listens there, unless a scenario brings a Redis.
  REDIS_URL: 'redis://127.0.0.1:1',
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
    return this.#keep(
      new Contestant(child, 'ws', async () => {
        await post(child.port, '/api/v1/notifications/broadcast', broadcastBody());
      }),
    );
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

  /** nginx with the module Nchan; undefined: not installed. */
  async nchan() {
    const found = nchan();
    if (found === undefined) return undefined;
    const port = await freePort();
    const file = this.#write('nchan.conf', nchanConfig(found.module, port, this.#folder));
    const child = await Child.server(found.nginx, ['-c', file], port, {}, '/ready');
    return this.#keep(new Contestant(child, 'ws', () => published(port, '/pub', publishedBody())));
  }

  /** Centrifugo, if it is on the PATH or CENTRIFUGO_BIN names it; undefined: not found. */
  async centrifugo() {
    const found = program('centrifugo', 'CENTRIFUGO_BIN');
    if (found === undefined) return undefined;
    const port = await freePort();
    const file = this.#write('centrifugo.json', centrifugoConfig(port));
    const child = await Child.server(found, ['--config', file], port, { cwd: this.#folder }, '/health');
    const body = JSON.stringify({ channel: 'all', data: JSON.parse(publishedBody()) });
    return this.#keep(new Contestant(child, 'centrifugo', () => published(port, '/api/publish', body)));
  }

  /** A Redis with an append-only file; undefined: not installed. */
  async redis() {
    const server = await startRedis();
    if (server !== undefined) this.#keep({ end: () => server.close() });
    return server;
  }

  /** undefined: neither the distribution's nor npm's is there. */
  async postgres() {
    const server = await startPostgres(this.options.log);
    if (server !== undefined) this.#keep({ end: () => server.stop() });
    return server;
  }

  async load(file, options = {}) {
    return this.#keep(await Child.fork(here(`load/${file}`), [], options));
  }

  /** A process that runs TypeScript of this repository. */
  sources(file) {
    return this.load(file, { execArgv: ['-r', here('../support/swc-register.cjs')] });
  }

  /** Clients of a server, in a process of their own, as load/listeners.mjs tells. */
  async listeners(server, count, options = {}) {
    const load = await this.load('listeners.mjs');
    await load.ask({ do: 'connect', port: server.port, kind: server.kind, count, ...options });
    return load;
  }

  /** Ends everything that was started, in reverse order. */
  async end() {
    for (const child of this.#children.splice(0).reverse()) await child.end();
  }

  close() {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(name, content) {
    const file = join(this.#folder, name);
    writeFileSync(file, content);
    return file;
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
    /** One notification to all clients, `times` times in one turn where the server can be told so. */
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

  idle() {
    return this.child.idle();
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

/** One POST to another server. */
async function published(port, path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
  const text = await answer.text();
  if (!answer.ok || text.includes('"error"')) throw new Error(`${path}: ${answer.status} ${text}`);
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

/** The median of each contestant's figures. */
export function medians(figures) {
  return Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, median(values)]));
}

export function percentile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
}

/**
 * How many times cheaper `ours` is: the median of the ratios of each round. A smoke test has few rounds and a busy
 * machine: there the best of each side are compared, since nothing makes a program cheaper than it is.
 */
export function advantage({ options }, theirs, ours) {
  if (options.smoke) return Math.min(...theirs) / Math.min(...ours);
  return median(ours.map((value, i) => theirs[i] / value));
}
