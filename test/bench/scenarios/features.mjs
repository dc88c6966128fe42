/** What each feature costs: the same work by services that differ in one setting, as a ratio to the one without. */
import { fileURLToPath } from 'node:url';
import { interleaved, median } from '../stage.mjs';
import { API_KEY, batchBody, sendBody } from '../workload.cjs';

const USERS = 100;
const CONNECTIONS = 16;
const SCRAPED = 'metrics read every second';
const SCRAPE_EVERY_MS = 1000;
const NO_METRICS = fileURLToPath(new URL('../servers/no-metrics.cjs', import.meta.url));
const BATCH_PATH = '/api/v1/notifications/batch';

const kept = (backend) => ({ QUEUE_ENABLED: 'true', QUEUE_BACKEND: backend, QUEUE_MAX_SIZE_PER_USER: '5000' });
const acked = (backend) => ({ ...kept(backend), ACK_ENABLED: 'true', ACK_BACKEND: backend });

export async function features(stage) {
  const { smoke } = stage.options;
  const rounds = smoke ? 3 : 5;
  const redis = await stage.redis();
  const postgres = await stage.postgres();
  const collector = await stage.load('collector.mjs');
  const inRedis = redis && { REDIS_URL: redis.url, REDIS_CHANNELS: '' };
  const inPostgres = postgres && { DATABASE_URL: postgres.url };
  const traced = { OTEL_ENABLED: 'true', OTEL_ENDPOINT: `http://127.0.0.1:${collector.port}` };
  const variants = {
    off: {},
    'off once more: the noise': {},
    'queue: memory': kept('memory'),
    'queue: Redis': inRedis && { ...inRedis, ...kept('redis') },
    'queue: PostgreSQL': inPostgres && { ...inPostgres, ...kept('postgres') },
    'ACK: memory': acked('memory'),
    'ACK: Redis': inRedis && { ...inRedis, ...acked('redis') },
    'ACK: PostgreSQL': inPostgres && { ...inPostgres, ...acked('postgres') },
    'tracing 1 %': { ...traced, OTEL_SAMPLING_RATIO: '0.01' },
    tracing: traced,
    [SCRAPED]: {},
    'counting nothing': { NODE_OPTIONS: `-r ${NO_METRICS}` },
  };
  const contestants = {};
  for (const [name, env] of Object.entries(variants)) {
    if (env === undefined) continue;
    const server = await stage.ara(env);
    const listeners = await stage.listeners(server, USERS, { acknowledges: name.startsWith('ACK') });
    contestants[name] = { server, listeners };
  }
  stage.progress(`features: ${Object.keys(contestants).length} services`);
  const scrape = setInterval(() => {
    fetch(`http://127.0.0.1:${contestants[SCRAPED].server.port}/metrics`, { headers: { 'X-API-Key': API_KEY } }).then(
      (answer) => answer.text(),
      () => undefined,
    );
  }, SCRAPE_EVERY_MS);
  const load = await stage.load('requests.mjs');
  const headers = { 'X-API-Key': API_KEY };
  const bodies = Array.from({ length: USERS }, (_, i) => sendBody(`user-${i}`));
  const targets = Array.from({ length: USERS }, (_, i) => ({ type: 'user', value: `user-${i}` }));
  const work = {
    'POST send to one of 100 users': {
      ...{ operations: smoke ? 1000 : 2500, each: 1, unit: 'µs CPU per request' },
      run: ({ port }, count) =>
        load.ask({
          ...{ port, headers, connections: CONNECTIONS, count, bodies },
          ...{ method: 'POST', path: '/api/v1/notifications/send' },
        }),
    },
    'POST batch of 100 to 100 users': {
      ...{ operations: smoke ? 20 : 30, each: USERS, unit: 'µs CPU per item' },
      run: ({ port }, count) =>
        load.ask({
          ...{ port, headers, connections: CONNECTIONS, count, body: batchBody(targets) },
          ...{ method: 'POST', path: BATCH_PATH },
        }),
    },
    'broadcast to 100 clients': {
      ...{ operations: smoke ? 50 : 200, each: USERS, unit: 'µs CPU per delivery' },
      async run(server, count) {
        for (let i = 0; i < count; i++) await server.broadcast(1);
      },
    },
  };
  const results = [];
  for (const [what, { operations, each, unit, run }] of Object.entries(work)) {
    const figures = await interleaved(stage, what, rounds, contestants, async ({ server, listeners }) => {
      const before = server.cpuMicros;
      await listeners.ask({ do: 'expect', count: operations * each });
      await run(server, operations);
      await listeners.ask({ do: 'wait' });
      await server.idle();
      return (server.cpuMicros - before) / (operations * each);
    });
    results.push({ id: 'features', what, unit, variants: againstOff(figures) });
  }
  if (!smoke) results.push(await latencies(stage, contestants));
  clearInterval(scrape);
  await stage.end();
  return results;
}

/** One after the other: an open loop wants both cores. */
async function latencies(stage, contestants) {
  const paced = await stage.load('paced.mjs');
  const variants = {};
  for (const [name, { server }] of Object.entries(contestants)) {
    const asked = { port: server.port, perSecond: 1000, acknowledges: name.startsWith('ACK') };
    await paced.ask({ ...asked, seconds: 1, first: 2 * USERS });
    const { sent, arrived, p99 } = await paced.ask({ ...asked, seconds: 5, first: USERS });
    if (arrived !== sent) throw new Error(`${name}: ${arrived} of ${sent} arrived`);
    stage.progress(`1,000 sends/s, ${name}: p99 ${p99.toFixed(1)} ms`);
    variants[name] = { figure: p99 };
  }
  const { off } = variants;
  for (const each of Object.values(variants)) each.ratio = off.figure / each.figure;
  return { id: 'features', what: '1,000 sends/s, from due to arrived: p99', unit: 'ms', variants };
}

function againstOff({ off, ...others }) {
  const ratioTo = (figures) => median(figures.map((figure, i) => off[i] / figure));
  return {
    off: { figure: median(off), ratio: 1 },
    ...Object.fromEntries(
      Object.entries(others).map(([name, figures]) => [name, { figure: median(figures), ratio: ratioTo(figures) }]),
    ),
  };
}
