import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { AraProcess } from '../support/ara-process';
import type { SseClient } from '../support/sse-client';
import { until } from '../support/until';
import type { WsClient } from '../support/ws-client';

// A thousand people listen, fifty of them stop reading under a flood of their own: nobody else may notice.

const WEB_SOCKETS = 1_000;
const STREAMS = 200;
const STALLED = 50;
/** With its frame just below the 64 KiB that a request may have. */
const LARGE = 'x'.repeat(65_000);
const SAMPLES = 60;
/** Shared machines hiccup; a stalled reader in the way would cost seconds. */
const TOLERANCE_MS = 100;
const LAG_LIMIT_MS = 5_000;
const CLOSE_GRACE_MS = 5_000;

let ara: AraProcess;
let clients: (WsClient | SseClient)[];
let stalled: WsClient[];
let listeners: (WsClient | SseClient)[];

async function inBatches<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i += 50) {
    made.push(...(await Promise.all(Array.from({ length: Math.min(50, count - i) }, (_, k) => make(i + k)))));
  }
  return made;
}

async function post(path: string, body: object): Promise<{ delivered_to: number; failed: number }> {
  const answer = await ara.post(`/api/v1/notifications/${path}`, { event_type: 'e', payload: null, ...body });
  return answer.json();
}

function idsAt(client: WsClient | SseClient): string[] {
  return client.inbox.all.flatMap((item) => {
    const { type, id } = ('data' in item ? JSON.parse(item.data as string) : item) as { type: string; id: string };
    return type === 'notification' ? [id] : [];
  });
}

async function connections(): Promise<number> {
  return (await ara.get('/health')).json<{ connections: { total: number } }>().connections.total;
}

/** Milliseconds from a POST to one listener's socket, the slowest of each twenty left out. */
async function latency(): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const index = (i * 17) % listeners.length;
    const startedAt = performance.now();
    const arrived = listeners[index]!.next('notification', 10_000);
    await post('send', { target_user_id: `listener-${index}` });
    await arrived;
    took.push(performance.now() - startedAt);
  }
  return took.sort((a, b) => a - b)[Math.ceil(SAMPLES * 0.95) - 1]!;
}

/** Memory of the service in MB. */
function rss(): number {
  const status = readFileSync(`/proc/${String(ara.child.pid)}/status`, 'utf8');
  return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]) / 1024;
}

beforeAll(async () => {
  ara = await AraProcess.start();
  stalled = await inBatches(STALLED, (i) => ara.ws(`stalled-${i}`));
  listeners = await inBatches<WsClient | SseClient>(WEB_SOCKETS - STALLED + STREAMS, (i) =>
    // Without channels of its own a stream would hear the flood as well.
    i < STREAMS ? ara.sse(`listener-${i}`, {}, '&channels=quiet') : ara.ws(`listener-${i}`),
  );
  clients = [...stalled, ...listeners];
}, 60_000);
afterAll(async () => {
  for (const client of clients) void client.close();
  await ara.stop();
});

it('a broadcast reaches each exactly once', async () => {
  expect(await connections()).toBe(WEB_SOCKETS + STREAMS);
  const reports = [await post('broadcast', {}), await post('broadcast', { audience: { type: 'All' } })];
  for (const report of reports) expect(report).toMatchObject({ delivered_to: WEB_SOCKETS + STREAMS, failed: 0 });
  const last = await post('broadcast', { payload: 'last' });
  const lastId = (last as unknown as { notification_id: string }).notification_id;
  await until(
    'the last has reached everybody',
    () => clients.every((client) => idsAt(client).includes(lastId)),
    10_000,
  );
  const expected = [...reports, last].map(
    (report) => (report as unknown as { notification_id: string }).notification_id,
  );
  for (const client of clients) {
    expect(idsAt(client)).toEqual(expected);
    client.inbox.drain();
  }
});

it('who stops reading is cut off, and nobody else notices', async () => {
  await Promise.all(stalled.map((client) => client.subscribe('flood')));
  const calm = await latency();
  const memoryBefore = rss();
  let memoryPeak = memoryBefore;

  for (const client of stalled) client.pause();
  const flood = async (): Promise<number> => {
    const { delivered_to, failed } = await post('channel', { channel: 'flood', payload: LARGE });
    expect(delivered_to + failed).toBe(STALLED);
    memoryPeak = Math.max(memoryPeak, rss());
    await wait(2);
    return failed;
  };
  // Until all of them owe more than 1 MiB beyond what their kernels hold.
  const filling = (async () => {
    let refused = 0;
    while (refused < 20) refused = (await flood()) === STALLED ? refused + 1 : 0;
  })();
  const whileFilling = await latency();
  await filling;
  const laggingSince = Date.now();

  const enough = new AbortController();
  const flooding = (async () => {
    while (!enough.signal.aborted) await flood();
  })();
  const whileStalled = await latency();
  enough.abort();
  await flooding;
  expect(Date.now() - laggingSince).toBeLessThan(LAG_LIMIT_MS);
  expect(await connections()).toBe(WEB_SOCKETS + STREAMS);
  expect(whileFilling).toBeLessThan(calm + TOLERANCE_MS);
  expect(whileStalled).toBeLessThan(calm + TOLERANCE_MS);
  expect(memoryPeak - memoryBefore).toBeLessThan(150);

  // Cut now, the close frame is queued: half of them read again and find it.
  await wait(laggingSince + LAG_LIMIT_MS + 1_500 - Date.now());
  const half = stalled.slice(0, STALLED / 2);
  for (const client of half) client.resume();
  for (const client of half) expect(await client.closed).toEqual({ code: 1013, reason: 'Reader too slow' });
  expect(half.every((client) => client.inbox.all.length < 120)).toBe(true);

  // The others find that their sockets went without them.
  expect(await connections()).toBe(WEB_SOCKETS + STREAMS - STALLED);
  await wait(laggingSince + LAG_LIMIT_MS + CLOSE_GRACE_MS + 1_500 - Date.now());
  for (const client of stalled.slice(STALLED / 2)) {
    client.resume();
    expect((await client.closed).code).toBe(1006);
  }
  expect(await post('broadcast', {})).toMatchObject({ delivered_to: WEB_SOCKETS + STREAMS - STALLED, failed: 0 });
}, 60_000);
