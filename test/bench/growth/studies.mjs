/** One study per thing that there may be many of. Each gives tables: a point per number, a column per cost. */
import { cpuMicros } from '../child.mjs';
import { post } from '../stage.mjs';
import { API_KEY, batchBody, broadcastBody, EVENT, sendBody } from '../workload.cjs';

const CONNECTIONS = 16;
const SENDS = 2000;
const LISTENERS_PER_PROCESS = 9500;
const REPEATS = 3;
const BATCH = 100;
const PUSHED_OUT = 5000;
const SEND = '/api/v1/notifications/send';
const CHANNEL = '/api/v1/notifications/channel';
const UNLIMITED = {
  WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0',
  WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION: '0',
  RATELIMIT_WS_MESSAGES_PER_SECOND: '1000000000',
};

export const STUDIES = { connections, user, channels, subscribers, queue, tenants };

/** Connections of the node, each of a user of its own. */
async function connections(stage) {
  const ara = await stage.ara();
  const load = await stage.load('requests.mjs');
  const crowd = new Crowd(stage, ara);
  await warmUp(load, ara, crowd);
  const points = [];
  const { rssBytes } = ara;
  const before = crowd.size;
  for (const n of upTo(stage.options.max, 1, 100, 1000, 10_000, stage.options.max)) {
    const connecting = await cpu(ara, () => crowd.grow(n));
    const grown = n - (points.at(-1)?.n ?? before);
    points.push({
      n,
      connect: grown > 0 ? connecting / grown : undefined,
      send: await sending(load, ara, sendBody('user-0')),
      deliver: await delivering(ara, crowd, () => ara.broadcast(1)),
      // Heartbeats are in proportion to the connections: what one costs is what may not grow.
      idle: n >= 1000 ? ((await idling(ara)) * 1000) / n : undefined,
      // Fewer fit into what the process holds already.
      rss: n >= 10_000 ? (ara.rssBytes - rssBytes) / 1024 / (n - before) : undefined,
    });
    stage.progress(`${n} connections`);
  }
  const all = crowd.size;
  const leaving = await cpu(ara, () => crowd.leave(ara));
  points.at(-1).leave = leaving / all;
  const columns = {
    connect: 'connecting, µs each',
    send: 'a send to one user, µs',
    deliver: 'a broadcast, µs per delivery',
    idle: 'being idle, µs per second each',
    rss: 'KiB RSS each',
    leave: 'all leave at once, µs each',
  };
  return [{ of: 'connections', columns, points }];
}

/** Connections of one user. */
async function user(stage) {
  const points = [];
  for (const n of upTo(stage.options.max, 1, 10, 100, 1000, 10_000)) {
    const ara = await stage.ara(UNLIMITED);
    const load = await stage.load('requests.mjs');
    const crowd = new Crowd(stage, ara, { user: 'user-0' });
    await warmUp(load, ara, crowd);
    const before = crowd.size;
    const connecting = await cpu(ara, () => crowd.grow(Math.max(n, before)));
    const size = crowd.size;
    points.push({
      n,
      connect: size > before ? connecting / (size - before) : undefined,
      deliver: await delivering(ara, crowd, () => post(ara.port, SEND, sendBody('user-0'))),
      leave: (await cpu(ara, () => crowd.leave(ara))) / size,
    });
    stage.progress(`${n} connections of one user`);
    await stage.end();
  }
  const columns = {
    connect: 'connecting, µs each',
    deliver: 'a send to the user, µs per delivery',
    leave: 'all leave at once, µs each',
  };
  return [{ of: 'connections of one user', columns, points }];
}

/** Channels of one connection. Each size has connections of its own, as many as make the figures large enough to see. */
async function channels(stage) {
  const ara = await stage.ara(UNLIMITED);
  const load = await stage.load('requests.mjs');
  await warmUp(load, ara, new Crowd(stage, ara));
  const points = [];
  for (const n of [1, 10, 100, 1000, 10_000]) {
    const clients = Math.max(1, Math.min(1000, 20_000 / n));
    const crowd = new Crowd(stage, ara, { first: 1_000_000 * (points.length + 1) });
    await crowd.grow(clients);
    await ara.idle();
    const { rssBytes } = ara;
    const prefix = `c${n}-`;
    const subscribing = await cpu(ara, () => crowd.subscribe({ prefix, first: 0, count: n }));
    const subscriptions = clients * n;
    const weight = (ara.rssBytes - rssBytes) / subscriptions;
    // One subscriber, whose connection has all the others, too.
    await crowd.subscribe({ prefix: `only-${n}-`, first: 0, count: 1, from: clients - 1 });
    const body = JSON.stringify({ channel: `only-${n}-0`, ...EVENT });
    const once = () => load.ask({ ...request(ara, CHANNEL, SENDS), body });
    points.push({
      n,
      subscribe: subscribing / subscriptions,
      send: (await best(() => cpu(ara, once))) / SENDS,
      ...(subscriptions >= 10_000 && { rss: weight }),
      leave: (await cpu(ara, () => crowd.leave(ara))) / subscriptions,
    });
    stage.progress(`${n} channels of each of ${clients} connections`);
  }
  const columns = {
    subscribe: 'subscribing, µs per subscription',
    send: 'a notification to one of the channels, µs',
    rss: 'bytes RSS per subscription',
    leave: 'leaving, µs per subscription',
  };
  return [{ of: 'channels of a connection', columns, points }];
}

/** Subscribers of one channel, among always as many connections. */
async function subscribers(stage) {
  const ara = await stage.ara(UNLIMITED);
  const load = await stage.load('requests.mjs');
  const crowd = new Crowd(stage, ara);
  await warmUp(load, ara, crowd);
  const points = [];
  const body = JSON.stringify({ channel: 'news0', ...EVENT });
  let subscribed = 0;
  for (const n of upTo(stage.options.max, 100, 1000, 10_000)) {
    await crowd.grow(n);
    await ara.idle();
    const subscribing = await cpu(ara, () => crowd.subscribe({ prefix: 'news', first: 0, count: 1, from: subscribed }));
    points.push({
      n,
      subscribe: subscribing / (n - subscribed),
      deliver: await delivering(ara, crowd, () => post(ara.port, CHANNEL, body), n),
    });
    subscribed = n;
    stage.progress(`${n} subscribers of one channel`);
  }
  points.at(-1).leave = (await cpu(ara, () => crowd.leave(ara))) / subscribed;
  const columns = {
    subscribe: 'subscribing one more, µs',
    deliver: 'a notification to the channel, µs per delivery',
    leave: 'all leave at once, µs each',
  };
  return [{ of: 'subscribers of a channel', columns, points }];
}

/** Entries that wait for one user who is away: keeping one more, and giving them all back when the user comes. */
async function queue(stage) {
  const redis = await stage.redis();
  const postgres = await stage.postgres();
  const stores = {
    memory: [{}],
    ...(redis && { redis: [{ REDIS_URL: redis.url, REDIS_CHANNELS: '' }, redis] }),
    ...(postgres && { postgres: [{ DATABASE_URL: postgres.url }, postgres] }),
  };
  const tables = [];
  for (const [backend, [reach, server]] of Object.entries(stores)) {
    const ofStore = () => (server === undefined ? undefined : cpuMicros(server.pid));
    const env = { ...reach, QUEUE_ENABLED: 'true', QUEUE_BACKEND: backend, QUEUE_MAX_SIZE_PER_USER: '1000000' };
    const ara = await stage.ara({ ...UNLIMITED, ...env });
    const load = await stage.load('requests.mjs');
    const crowd = new Crowd(stage, ara);
    await warmUp(load, ara, crowd);
    await fill(load, ara, 'user-absent', 1000);
    const points = [];
    for (const n of backend === 'postgres' ? [100, 1000, 10_000] : [100, 1000, 10_000, 50_000]) {
      const name = `user-${1_000_000 * n}`;
      const already = n - Math.min(n, 1000);
      await fill(load, ara, name, already);
      await ara.idle();
      const { rssBytes } = ara;
      // The last of them, when all the others are there already.
      const storeBefore = ofStore();
      const keeping = await cpu(ara, () => fill(load, ara, name, n - already));
      const storing = ofStore() - storeBefore;
      const weight = (ara.rssBytes - rssBytes) / (n - already);
      const client = await stage.load('listeners.mjs');
      await client.ask({ do: 'expect', count: n });
      const replaying = await cpu(ara, async () => {
        await client.ask({ do: 'connect', port: ara.port, kind: ara.kind, count: 1, user: name });
        await client.ask({ do: 'wait' });
      });
      points.push({
        ...{ n, keep: keeping / (n - already), replay: replaying / n },
        ...(backend === 'memory' ? n >= 10_000 && { rss: weight } : { store: storing / (n - already) }),
      });
      await client.end();
      stage.progress(`${n} entries in ${backend}`);
    }
    const columns = {
      keep: 'keeping one more, µs',
      replay: 'replaying, µs per entry',
      ...(backend === 'memory'
        ? { rss: 'bytes RSS per entry of 330 bytes' }
        : { store: 'keeping one more, µs of the store itself' }),
    };
    // It counts the entries of the user, up to the cap, which is 100 unless told and a million here.
    const known = backend === 'postgres' ? ['store'] : [];
    tables.push({ of: `entries of a user in ${backend}`, columns, points, known });
    await ara.end();
    tables.push(await atTheCap(stage, backend, reach));
  }
  return tables;
}

/** A full queue: each new entry pushes out the oldest one. */
async function atTheCap(stage, backend, reach) {
  const points = [];
  for (const n of [100, 1000, 10_000]) {
    const env = { ...reach, QUEUE_ENABLED: 'true', QUEUE_BACKEND: backend, QUEUE_MAX_SIZE_PER_USER: String(n) };
    const ara = await stage.ara({ ...UNLIMITED, ...env });
    const load = await stage.load('requests.mjs');
    await warmUp(load, ara, new Crowd(stage, ara));
    await fill(load, ara, 'user-full', n);
    await ara.idle();
    points.push({ n, keep: (await cpu(ara, () => fill(load, ara, 'user-full', PUSHED_OUT))) / PUSHED_OUT });
    await ara.end();
  }
  stage.progress(`full queues in ${backend}`);
  return { of: `cap of a full queue in ${backend}`, columns: { keep: 'keeping one more, µs' }, points };
}

/** Tenants with one connection each. */
async function tenants(stage) {
  const ara = await stage.ara({ ...UNLIMITED, TENANT_ENABLED: 'true' });
  const load = await stage.load('requests.mjs');
  const crowd = new Crowd(stage, ara, { perTenant: true });
  await crowd.grow(1);
  const headers = { 'X-API-Key': API_KEY, 'X-Tenant-ID': 'tenant-0' };
  const ask = (path, body, count) => load.ask({ ...request(ara, path, count), headers, body });
  const broadcast = () => ask('/api/v1/notifications/broadcast', broadcastBody(), SENDS);
  await ask(SEND, sendBody('user-0'), SENDS);
  await broadcast();
  await ara.idle();
  const { rssBytes } = ara;
  const points = [];
  for (const n of upTo(stage.options.max, 1, 10, 100, 1000, 10_000)) {
    const connecting = await cpu(ara, () => crowd.grow(n));
    const grown = n - (points.at(-1)?.n ?? 1);
    points.push({
      n,
      connect: grown > 0 ? connecting / grown : undefined,
      send: (await best(() => cpu(ara, () => ask(SEND, sendBody('user-0'), SENDS)))) / SENDS,
      broadcast: (await best(() => cpu(ara, broadcast))) / SENDS,
      rss: n >= 1000 ? (ara.rssBytes - rssBytes) / 1024 / n : undefined,
    });
    stage.progress(`${n} tenants`);
  }
  points.at(-1).leave = (await cpu(ara, () => crowd.leave(ara))) / crowd.left;
  const columns = {
    connect: 'connecting, µs each',
    send: 'a send to one user, µs',
    broadcast: 'a broadcast within one tenant, µs',
    rss: 'KiB RSS per tenant and its connection',
    leave: 'all leave at once, µs each',
  };
  return [{ of: 'tenants with a connection each', columns, points }];
}

/** Clients in as many processes as they need. */
class Crowd {
  #loads = [];
  size = 0;
  left = 0;

  constructor(stage, server, options = {}) {
    this.stage = stage;
    this.server = server;
    this.options = options;
  }

  async grow(n) {
    const { port, kind } = this.server;
    while (this.size < n) {
      let last = this.#loads.at(-1);
      if (last === undefined || last.count === LISTENERS_PER_PROCESS) {
        this.#loads.push((last = { count: 0, load: await this.stage.load('listeners.mjs') }));
      }
      const count = Math.min(n - this.size, LISTENERS_PER_PROCESS - last.count);
      const first = (this.options.first ?? 0) + this.size;
      await last.load.ask({ do: 'connect', port, kind, count, ...this.options, first });
      last.count += count;
      this.size += count;
    }
  }

  /** All of them, or those from the `from`th on. */
  async subscribe({ from = 0, ...what }) {
    let passed = 0;
    for (const { load, count } of this.#loads) {
      await load.ask({ do: 'subscribe', ...what, from: Math.max(0, from - passed) });
      passed += count;
    }
  }

  /** `work` makes one notification for each of them. */
  async hears(work, count = this.size) {
    let missing = count;
    for (const { load, count: own } of this.#loads) {
      const here = Math.min(own, missing);
      missing -= here;
      await load.ask({ do: 'expect', count: here });
    }
    await work();
    for (const { load } of this.#loads) await load.ask({ do: 'wait' });
  }

  async leave(server) {
    this.left = this.size;
    for (const { load } of this.#loads) await load.ask({ do: 'disconnect' });
    await server.idle();
    this.#loads = [];
    this.size = 0;
  }
}

/** Until V8 has compiled what is measured. Leaves `crowd` with one connection. */
async function warmUp(load, ara, crowd) {
  await crowd.grow(1);
  for (let i = 0; i < REPEATS; i++) await load.ask({ ...request(ara, SEND, SENDS), body: sendBody('user-0') });
  for (let i = 0; i < 20; i++) await crowd.hears(() => ara.broadcast(1));
  await ara.idle();
}

/** Sends `count` notifications to one user, a hundred per request. */
async function fill(load, ara, name, count) {
  const batches = Math.floor(count / BATCH);
  if (batches === 0) return;
  const body = batchBody(Array.from({ length: BATCH }, () => ({ type: 'user', value: name })));
  await load.ask({ ...request(ara, '/api/v1/notifications/batch', batches), connections: 4, body });
}

async function sending(load, ara, body) {
  return (await best(() => cpu(ara, () => load.ask({ ...request(ara, SEND, SENDS), body })))) / SENDS;
}

/** A small fan-out is repeated until it can be seen. */
async function delivering(ara, crowd, work, count = crowd.size) {
  const times = Math.max(2, Math.ceil(500 / count));
  const once = () =>
    cpu(ara, async () => {
      for (let i = 0; i < times; i++) await crowd.hears(work, count);
    });
  return (await best(once)) / (times * count);
}

/** Milliseconds of CPU per second, in two intervals of heartbeats or so. */
async function idling(ara) {
  const seconds = 3;
  await ara.idle();
  const before = ara.cpuMicros;
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return (ara.cpuMicros - before) / 1000 / seconds;
}

/** Microseconds that the service computed meanwhile, until it has nothing more to do. */
async function cpu(ara, work) {
  const before = ara.cpuMicros;
  await work();
  await ara.idle();
  return ara.cpuMicros - before;
}

/** The least of some tries: nothing makes a program cheaper than it is. */
async function best(measure) {
  const tries = [];
  for (let i = 0; i < REPEATS; i++) tries.push(await measure());
  return Math.min(...tries);
}

function request({ port }, path, count) {
  return { port, method: 'POST', path, count, connections: CONNECTIONS, headers: { 'X-API-Key': API_KEY } };
}

function upTo(max, ...sizes) {
  const fitting = sizes.filter((size, i) => size <= max && !sizes.slice(i + 1).some((later) => later <= size));
  return fitting.length === sizes.length || fitting.at(-1) === max ? fitting : [...fitting, max];
}
