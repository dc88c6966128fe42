import { setTimeout as wait } from 'node:timers/promises';
import { AraProcess, type Exit } from '../support/ara-process';
import { RawSocket, within } from '../support/raw-socket';
import { StreamRefused, type SseClient } from '../support/sse-client';
import { TEST_API_KEY, tokenFor } from '../support/tokens';
import { UpgradeRefused, type WsClient } from '../support/ws-client';
import { serverClose, upgradeRequest, WsWire } from '../support/ws-wire';

// How the service ends: everybody is told, what is under way ends, and nobody can keep it from ending.

const WEB_SOCKETS = 2_000;
const STREAMS = 50;
const SHUTDOWN =
  /^{"type":"shutdown","reason":"Server shutting down","reconnect_after_seconds":5,"reconnect_jitter_ms":(\d+)}$/;
/** Sockets are closed in slices; whoever does not answer a close frame is waited for no longer than 5 s. */
const PROMPT_MS = 5_000;

async function inBatches<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i += 50) {
    made.push(...(await Promise.all(Array.from({ length: Math.min(50, count - i) }, (_, k) => make(i + k)))));
  }
  return made;
}

/** Ends the service and says how and in how many milliseconds it went. */
async function end(ara: AraProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit & { tookMs: number }> {
  const startedAt = Date.now();
  const exit = await ara.stop(signal);
  return { ...exit, tookMs: Date.now() - startedAt };
}

function post(length: number): string {
  const headers = `Host: ara.test\r\nX-API-Key: ${TEST_API_KEY}\r\nContent-Type: application/json\r\nContent-Length: ${length}`;
  return `POST /api/v1/notifications/send HTTP/1.1\r\n${headers}\r\n\r\n`;
}

/** It takes its time, and the others need not wait for that. */
let stubborn: Promise<void>;
beforeAll(() => {
  stubborn = endAmongStubbornClients();
  // Its own test reports it.
  stubborn.catch(() => undefined);
});

it('tells 2,000 sockets and 50 streams, closes them with 1001, answers what is under way, and ends with 0', async () => {
  const ara = await AraProcess.start({ WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0' });
  const sockets: WsClient[] = await inBatches(WEB_SOCKETS, (i) => ara.ws(`user-${i}`));
  const streams: SseClient[] = await inBatches(STREAMS, (i) => ara.sse(`user-${i}`));
  const body = JSON.stringify({ target_user_id: 'nobody', event_type: 'e', payload: null });
  const underWay = await RawSocket.open(ara.url);
  underWay.write(post(body.length) + body.slice(0, 10));
  const sent = await ara.post('/api/v1/notifications/broadcast', { event_type: 'last', payload: null });
  expect(sent.json()).toMatchObject({ delivered_to: WEB_SOCKETS + STREAMS });

  const ending = end(ara);
  await sockets[0]!.next('shutdown');
  expect((await ara.get('/health/ready')).status).toBe(503);
  expect((await ara.get('/health/live')).status).toBe(200);
  const refused = await Promise.allSettled([ara.ws('late'), ara.sse('late')]);
  for (const result of refused) {
    const { status, headers, text } = (result as PromiseRejectedResult).reason as UpgradeRefused | StreamRefused;
    expect([status, headers['content-type'], headers['retry-after'], text]).toEqual([
      503,
      'text/plain; charset=utf-8',
      '5',
      'Server shutting down',
    ]);
  }

  const jitters = new Set<number>();
  for (const client of sockets) {
    expect(await client.closed).toEqual({ code: 1001, reason: 'Server shutting down' });
    const frames = client.inbox.all.filter(({ type }) => type !== 'heartbeat');
    expect(frames.map(({ type }) => type)).toEqual(['notification', 'shutdown']);
    jitters.add(Number(SHUTDOWN.exec(frames[1]!.text)?.[1]));
  }
  for (const stream of streams) {
    await stream.ended;
    const events = stream.inbox.all.filter(({ event }) => event !== 'heartbeat');
    expect(events.map(({ event }) => event)).toEqual(['connected', 'notification', 'message']);
    const { data, retry } = events[2]!;
    expect(retry).toBe(5_000 + Number(SHUTDOWN.exec(data)?.[1]));
    expect(stream.raw.endsWith(`event: message\nretry: ${retry ?? 0}\ndata: ${data}\n\n`)).toBe(true);
    jitters.add(retry! - 5_000);
  }
  for (const jitter of jitters) expect(jitter >= 0 && jitter <= 5_000).toBe(true);
  expect(jitters.size).toBeGreaterThan(100);

  expect(ara.hasExited).toBe(false);
  underWay.write(body.slice(10));
  const answer = await underWay.until('the answer', ({ text }) => text.includes('"success":false'));
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  const { code, signal, tookMs } = await ending;
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(tookMs).toBeLessThan(PROMPT_MS);
}, 60_000);

it('ends at once when nobody is there, by SIGINT too', async () => {
  const ara = await AraProcess.start();
  const { code, signal, tookMs } = await end(ara, 'SIGINT');
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(tookMs).toBeLessThan(1_000);
});

it('ends at once, and says so, at a second signal', async () => {
  const ara = await AraProcess.start();
  const mute = await WsWire.open(ara.url, `/ws?token=${tokenFor('mute')}`);
  ara.child.kill('SIGTERM');
  await mute.raw.until('the notice', () => mute.rest.includes('"shutdown"'));
  await wait(300);
  expect(ara.hasExited).toBe(false);
  const { code, signal, tookMs } = await end(ara, 'SIGTERM');
  expect({ code, signal }).toEqual({ code: 1, signal: null });
  expect(tookMs).toBeLessThan(1_000);
  mute.close();
});

it('ends with 1 when its grace time is over', async () => {
  const ara = await AraProcess.start({ SHUTDOWN_GRACE_SECONDS: '1' });
  const mute = await WsWire.open(ara.url, `/ws?token=${tokenFor('mute')}`);
  const { code, signal, tookMs } = await end(ara);
  expect({ code, signal }).toEqual({ code: 1, signal: null });
  expect(tookMs).toBeGreaterThanOrEqual(1_000);
  expect(tookMs).toBeLessThan(2_500);
  expect(ara.output).toContain('Not drained within 1 s after SIGTERM');
  mute.close();
});

it('waits for nobody who does not answer', () => stubborn, 60_000);

async function endAmongStubbornClients(): Promise<void> {
  const ara = await AraProcess.start();
  const mute = await WsWire.open(ara.url, `/ws?token=${tokenFor('mute')}`);
  const [socket, stream] = [await ara.ws('slow'), await ara.sse('slow')];
  for (const client of [socket, stream]) client.pause();
  const large = { target_user_id: 'slow', event_type: 'e', payload: 'x'.repeat(60_000) };
  for (let i = 0; i < 100; i++) await ara.post('/api/v1/notifications/send', large);
  const [silent, halfHead, halfBody] = await Promise.all([1, 2, 3].map(() => RawSocket.open(ara.url)));
  halfHead!.write('GET /health HTTP/1.1\r\nHost:');
  halfBody!.write(`${post(100)}{`);
  const used = await RawSocket.open(ara.url);
  used.write('GET /health/live HTTP/1.1\r\nHost: ara.test\r\n\r\n');
  await used.until('an answer', ({ text }) => text.includes('{"status":"ok"}'));
  const refused = await RawSocket.open(ara.url, { keepOpen: true });
  refused.write(upgradeRequest('/ws'));
  await refused.ended;

  const { code, signal, tookMs } = await end(ara);
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(tookMs).toBeLessThan(14_000);
  expect(mute.rest.subarray(-serverClose(1001, 'Server shutting down').length)).toEqual(
    serverClose(1001, 'Server shutting down'),
  );
  for (const one of [silent!, halfHead!, halfBody!, used, refused]) {
    await within(1_000, one.ended, 'a connection outlived the service');
    one.close();
  }
  mute.close();
  await Promise.all([socket.cut(), stream.close()]);
}
