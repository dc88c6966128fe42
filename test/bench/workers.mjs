/**
 * What WORKERS gives and costs: a fan-out and single sends with one process alone, one as a node of a cluster, and two.
 *
 *   node test/bench/workers.mjs [clients] [rounds]     (4000 clients, 9 rounds, some two minutes; needs redis-server)
 *
 * All three run all the time; each round gives every one the same work in turn, in an order that shifts. CPU time is what the
 * kernel charged to the service's processes, the supervisor among them, not to Redis. Shown are medians of the rounds.
 */
import { spawn } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.mjs';
import { median } from './stage.mjs';
import { API_KEY, JWT_SECRET, broadcastBody, sendBody } from './workload.cjs';

const CLIENTS = Number(process.argv[2] ?? 4000);
const ROUNDS = Number(process.argv[3] ?? 9);
const BROADCASTS = 5;
const SENDS = 2000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ara-bench-'));
const redisPort = 20_000 + (process.pid % 10_000);
const redis = spawn('redis-server', ['--save', '', '--bind', '127.0.0.1', '--port', String(redisPort)], {
  cwd: folder,
  stdio: 'ignore',
});
process.on('exit', () => {
  redis.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const BASE = { RUN_MODE: 'production', LOG_LEVEL: 'error', JWT_SECRET, API_KEY, WEBSOCKET_MAX_CONNECTIONS: '0' };
const cluster = (name) => ({
  CLUSTER_ENABLED: 'true',
  REDIS_URL: `redis://127.0.0.1:${redisPort}`,
  CLUSTER_DELIVERY_WAIT_MS: '10000',
  CLUSTER_ROUTING_CHANNEL: `route-${name}`,
  CLUSTER_SESSION_PREFIX: `sessions-${name}`,
});
const VARIANTS = {
  'one process': {},
  'one, in a cluster': cluster('one'),
  'WORKERS=2': { ...cluster('two'), WORKERS: '2' },
};

const contestants = [];
for (const [name, env] of Object.entries(VARIANTS)) {
  const service = await Child.service(here('../../dist/main.js'), { ...BASE, ...env }, folder);
  const { pid } = service.process;
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  const listeners = await Child.fork(here('load/listeners.mjs'));
  const startedAt = performance.now();
  await listeners.ask({ do: 'connect', port: service.port, kind: 'ws', count: CLIENTS });
  const connectMs = performance.now() - startedAt;
  const requests = await Child.fork(here('load/requests.mjs'));
  const pids = [pid, ...workers];
  const memory = pids.map((one) =>
    Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${one}/status`))[1]) / 1024),
  );
  contestants.push({ name, service, listeners, requests, cpu: () => service.cpuMicros, connectMs, memory, rounds: [] });
  process.stderr.write(`${name}: ${CLIENTS} clients in ${connectMs.toFixed(0)} ms, MB ${memory.join(' + ')}\n`);
}

for (let round = -2; round < ROUNDS; round++) {
  for (let turn = 0; turn < contestants.length; turn++) {
    const contestant = contestants[(round + 2 + turn) % contestants.length];
    const measured = { ...(await fanOut(contestant)), ...(await sends(contestant)) };
    // The first two are for V8 to compile.
    if (round >= 0) contestant.rounds.push(measured);
  }
  process.stderr.write(round < 0 ? 'warming up\n' : `round ${round + 1} of ${ROUNDS}\n`);
}

console.log(`Node ${process.version}, ${CLIENTS} clients, medians of ${ROUNDS} rounds\n`);
console.log(
  '| | last client | CPU per delivery | sends per second | CPU per send | memory |\n|---|--:|--:|--:|--:|--:|',
);
for (const { name, rounds, memory } of contestants) {
  const of = (field) => median(rounds.map((one) => one[field]));
  console.log(
    `| ${name} | ${of('lastMs').toFixed(0)} ms | ${of('perDelivery').toFixed(1)} µs | ${of('rate').toFixed(0)} ` +
      `| ${of('perSend').toFixed(0)} µs | ${memory.join(' + ')} MB |`,
  );
}
process.exit(0);

/** One broadcast to all, several times; the moment at which the last client has it. */
async function fanOut({ service, listeners, cpu }) {
  const before = cpu();
  const lasts = [];
  for (let i = 0; i < BROADCASTS; i++) {
    await listeners.ask({ do: 'expect', count: CLIENTS });
    const sentAt = process.hrtime.bigint();
    await post(service.port, 'broadcast', broadcastBody());
    const { lastAt } = await listeners.ask({ do: 'wait' });
    lasts.push(Number(BigInt(lastAt) - sentAt) / 1e6);
  }
  return { lastMs: median(lasts), perDelivery: (cpu() - before) / (BROADCASTS * CLIENTS) };
}

/** Sends to one connected user, 32 at a time. */
async function sends({ service, requests, cpu }) {
  const before = cpu();
  const startedAt = performance.now();
  await requests.ask({
    port: service.port,
    method: 'POST',
    path: '/api/v1/notifications/send',
    headers: { 'X-API-Key': API_KEY },
    body: sendBody('user-1'),
    count: SENDS,
    connections: 32,
  });
  return { rate: SENDS / ((performance.now() - startedAt) / 1000), perSend: (cpu() - before) / SENDS };
}

async function post(port, path, body) {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/notifications/${path}`, {
    method: 'POST',
    headers: { 'X-API-Key': API_KEY, 'Content-Type': 'application/json' },
    body,
  });
  const { delivered_to: delivered } = await answer.json();
  if (delivered < CLIENTS) throw new Error(`only ${delivered} of ${CLIENTS} were reached`);
}
