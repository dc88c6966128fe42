import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AraProcess } from '../support/ara-process';
import { TEST_API_KEY, TEST_JWT_SECRET } from '../support/tokens';

const ROOT = resolve(__dirname, '../..');
/**
 * All at once, because each takes the same 50 s, which makes latencies say nothing here. Those in a row share a service:
 * connections, and requests that reach them.
 */
const ROWS = [
  ['websocket', 'http-api', 'batch-api'],
  ['e2e-load', 'sse'],
] as const;
/** 50 s, and what a busy machine adds. */
const RUN_MS = 180_000;

/** Counters have a count, rates and checks how often they were true. */
type Metrics = Readonly<Record<string, Readonly<Record<string, number>> | undefined>>;

const services: AraProcess[] = [];
let folder: string;
let results: ReadonlyMap<string, { readonly code: number | null; readonly output: string }>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ara-load-'));
  const rows = ROWS.map(async (names) => {
    const ara = await AraProcess.start({ WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: 'true' });
    services.push(ara);
    return Promise.all(names.map(async (name) => [name, await smoke(name, ara)] as const));
  });
  results = new Map((await Promise.all(rows)).flat());
}, RUN_MS + 60_000);

afterAll(async () => {
  await Promise.all(services.map((ara) => ara.stop()));
  rmSync(folder, { recursive: true, force: true });
});

function smoke(name: string, ara: AraProcess): Promise<{ code: number | null; output: string }> {
  const args = ['run', '--quiet', '--no-thresholds', '--address', '127.0.0.1:0', '--summary-export', summaryOf(name)];
  const child = spawn('k6', [...args, `k6/${name}.js`], {
    cwd: ROOT,
    timeout: RUN_MS,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOST: new URL(ara.url).host,
      JWT_SECRET: TEST_JWT_SECRET,
      API_KEY: TEST_API_KEY,
      PROFILE: 'smoke',
      K6_NO_USAGE_REPORT: 'true',
    },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((done) => {
    child.on('error', (error) => {
      done({ code: null, output: `${error.message}: k6/README.md tells how to get k6` });
    });
    child.on('close', (code) => {
      done({ code, output });
    });
  });
}

const summaryOf = (name: string): string => join(folder, `${name}.json`);

/** Each script's own count of what it did, and its rate of success. */
const PROOFS: Readonly<Record<(typeof ROWS)[number][number], readonly [count: string, rate: string]>> = {
  websocket: ['notifications_received', 'connection_success_rate'],
  'http-api': ['notifications_sent', 'request_success_rate'],
  'batch-api': ['notifications_succeeded', 'batch_success_rate'],
  'e2e-load': ['notifications_received', 'overall_success_rate'],
  sse: ['sse_notifications_received', 'sse_delivery_rate'],
};

describe.each(ROWS.flat())('k6 run k6/%s.js with the profile smoke', (name) => {
  it('ends well, having done its work without a failure', () => {
    const { code, output } = results.get(name)!;
    expect({ code, output }).toMatchObject({ code: 0 });
    const { metrics } = JSON.parse(readFileSync(summaryOf(name), 'utf8')) as { metrics: Metrics };
    const [count, rate] = PROOFS[name];
    const proof = {
      count: metrics[count]?.['count'],
      rate: metrics[rate]?.['value'],
      fails: metrics['checks']?.['fails'],
    };
    // With the summary, which says what went wrong.
    expect({ ...proof, output }).toMatchObject({ rate: 1, fails: 0 });
    expect(proof.count).toBeGreaterThan(10);
  });
});
