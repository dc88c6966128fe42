/**
 * What counting, being scraped and tracing cost, as a ratio of CPU time and of throughput to the service as it is (metrics
 * on, nobody scrapes, tracing off).
 *
 *   node test/bench/telemetry-overhead.mjs [rounds]     (15 rounds, some five minutes)
 *
 * One service per variant runs all the time; each round gives every variant the same work in turn, in an order that
 * shifts, so that whatever else the machine does hits all of them alike. CPU time is that of the service's process alone
 * (process.cpuUsage, as its own metrics show it). The ratio is taken within a round; shown are the median of the rounds and
 * its quartiles.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import jwt from 'jsonwebtoken';
import { WebSocket } from 'ws';

const ROUNDS = Number(process.argv[2] ?? 15);
const SENDS = 2000;
const BROADCASTS = 100;
const CONNECTIONS = 200;
const CONCURRENCY = 16;
const SECRET = 'a-secret-of-the-bench-that-is-long-enough';
const API_KEY = 'an-api-key-of-the-bench';
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ara-bench-'));
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Takes the instruments out, so that only the calls remain. */
const noMetrics = join(folder, 'no-metrics.cjs');
writeFileSync(
  noMetrics,
  `const { Counter, Histogram } = require(${JSON.stringify(join(root, 'src/telemetry/metrics.ts'))});
Counter.prototype.inc = Histogram.prototype.observe = () => undefined;`,
);

const collector = await startCollector();
const tracing = (ratio) => ({ OTEL_ENABLED: 'true', OTEL_ENDPOINT: collector, OTEL_SAMPLING_RATIO: ratio });
const BASE = 'as it is';
const services = [
  await start(BASE),
  await start(BASE + ' (again: the noise)'),
  await start('counting nothing', {}, ['-r', noMetrics]),
  await start('scraped every second'),
  await start('tracing 1 % of the requests', tracing('0.01')),
  await start('tracing every request', tracing('1')),
];
const scraped = services.find(({ name }) => name.startsWith('scraped'));
setInterval(() => void http(scraped, 'GET', '/metrics'), 1000).unref();

const WORK = {
  send: { operations: SENDS, path: 'send', body: { target_user_id: 'user-0' } },
  'broadcast to 200': { operations: BROADCASTS, path: 'broadcast', body: {} },
};
const results = [];
for (let round = -1; round < ROUNDS; round++) {
  for (let turn = 0; turn < services.length; turn++) {
    const service = services[(round + 1 + turn) % services.length];
    for (const [work, { operations, path, body }] of Object.entries(WORK)) {
      const measured = await measure(service, operations, `/api/v1/notifications/${path}`, body);
      // The first round warms up.
      if (round >= 0) results.push({ round, name: service.name, work, ...measured });
    }
  }
  process.stderr.write(round < 0 ? 'warmed up\n' : `round ${round + 1} of ${ROUNDS}\n`);
}
report();
process.exit(0);

async function measure(service, operations, path, body) {
  const text = JSON.stringify({ ...body, event_type: 'bench', payload: { text: 'x'.repeat(200) } });
  const cpuBefore = await cpuSeconds(service);
  const receivedBefore = service.received;
  const startedAt = performance.now();
  let left = operations;
  const worker = async () => {
    while (left-- > 0) await http(service, 'POST', path, text);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  const expected = path.endsWith('broadcast') ? operations * CONNECTIONS : operations;
  while (service.received < receivedBefore + expected) await new Promise((resolve) => setTimeout(resolve, 5));
  const seconds = (performance.now() - startedAt) / 1000;
  // Spans leave once per second.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  return { cpu: ((await cpuSeconds(service)) - cpuBefore) / operations, rate: operations / seconds };
}

async function cpuSeconds(service) {
  const text = await http(service, 'GET', '/metrics');
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)[1]);
}

function report() {
  console.log(`Node ${process.version}, ${ROUNDS} rounds; ratios to "${BASE}": median (quartiles)\n`);
  console.log('| Work | Variant | CPU time per operation | CPU ratio | Throughput ratio |\n|---|---|---|---|---|');
  for (const work of Object.keys(WORK)) {
    for (const { name } of services) {
      const own = results.filter((one) => one.name === name && one.work === work);
      const base = results.filter((one) => one.name === BASE && one.work === work);
      const ratios = (field) => own.map((one, i) => one[field] / base[i][field]);
      const cpu =
        quartile(
          own.map((one) => one.cpu),
          0.5,
        ) * 1e6;
      console.log(
        `| ${work} | ${name} | ${cpu.toFixed(0)} µs | ${spread(ratios('cpu'))} | ${spread(ratios('rate'))} |`,
      );
    }
  }
}

function spread(values) {
  const [low, median, high] = [0.25, 0.5, 0.75].map((at) => quartile(values, at).toFixed(2));
  return `${median} (${low}–${high})`;
}

function quartile(values, at) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * at)];
}

async function start(name, env = {}, args = []) {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    ['-r', join(root, 'test/support/swc-register.cjs'), ...args, join(root, 'src/main.ts')],
    {
      cwd: folder,
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        SERVER_HOST: '127.0.0.1',
        SERVER_PORT: String(port),
        JWT_SECRET: SECRET,
        API_KEY,
        REDIS_URL: 'redis://127.0.0.1:1',
        WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0',
        LOG_LEVEL: 'error',
        ...env,
      },
    },
  );
  children.add(child);
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const service = { name, port, agent, received: 0 };
  for (let attempt = 0; ; attempt++) {
    const answer = await http(service, 'GET', '/health/live').catch(() => undefined);
    if (answer !== undefined) break;
    if (attempt === 200) throw new Error(`${name} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (let n = 0; n < CONNECTIONS; n++) {
    const token = jwt.sign({ sub: `user-${n}` }, SECRET, { expiresIn: 7200 });
    const client = new WebSocket(`ws://127.0.0.1:${port}/ws?token=${token}`, { perMessageDeflate: false });
    await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
    client.on('message', (data) => {
      if (data.includes('"notification"')) service.received++;
    });
  }
  return service;
}

function http({ port, agent }, method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'x-api-key': API_KEY, ...(body && { 'content-type': 'application/json' }) };
    const outgoing = request({ port, host: '127.0.0.1', agent, method, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve(text) : reject(new Error(`${answer.statusCode} ${text}`)),
      );
    });
    outgoing.on('error', reject).end(body);
  });
}

/** Takes spans and throws them away. */
async function startCollector() {
  const server = new Server();
  const bytes = (value) => value;
  server.addService(
    {
      Export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    { Export: (_call, answer) => answer(null, Buffer.alloc(0)) },
  );
  const port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return `http://127.0.0.1:${port}`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
