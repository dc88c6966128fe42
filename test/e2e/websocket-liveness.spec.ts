import { setTimeout as wait } from 'node:timers/promises';
import { AraProcess } from '../support/ara-process';
import { RawSocket, within } from '../support/raw-socket';
import { inSeconds, tokenFor } from '../support/tokens';
import { until } from '../support/until';
import { BINARY, clientFrame, PING, PONG, serverClose, serverText, WsWire } from '../support/ws-wire';

// A heartbeat each second, silence of 2 s is too long, tokens are accepted 1 s after their end. All of it takes seconds,
// so all clients live through the same ones: they start together, and each test waits for its own.

const HEARTBEAT = serverText('{"type":"heartbeat"}');
const PROTOCOL_PING = Buffer.from([0x89, 0x00]);
const STALE = serverClose(1001, 'Connection timed out');
const EXPIRED = serverClose(1008, 'Token expired');
const LONG_ENOUGH_MS = 4_500;
const LEEWAY_SECONDS = 1;

let ara: AraProcess;
/** As it comes without any setting, but for the leeway. */
let development: AraProcess;

const wire = (user: string): Promise<WsWire> => WsWire.open(ara.url, `/ws?token=${tokenFor(user)}`);

/** Whether the connection ends as stale, while it says something every half second. */
async function isStale(user: string, something: Buffer | undefined): Promise<boolean> {
  const client = await wire(user);
  const saying = setInterval(() => {
    if (something !== undefined && !client.raw.hasEnded) client.send(something);
  }, 500);
  await Promise.race([client.raw.until('the close', () => client.rest.includes(STALE)), wait(LONG_ENOUGH_MS)]);
  clearInterval(saying);
  const closed = client.rest.includes(STALE);
  client.close();
  return closed;
}

/** A stream on a socket of its own, and when its token stops being accepted, in milliseconds since 1970. */
async function streamThatExpires(user: string): Promise<{ socket: RawSocket; endsAt: number }> {
  const exp = inSeconds(1);
  const socket = await RawSocket.open(ara.url);
  socket.write(`GET /sse?token=${tokenFor(user, { exp })} HTTP/1.1\r\nHost: ara.test\r\n\r\n`);
  return { socket, endsAt: (exp + LEEWAY_SECONDS) * 1000 };
}

function expectInTime(endsAt: number): void {
  expect(Date.now()).toBeGreaterThanOrEqual(endsAt);
  expect(Date.now()).toBeLessThan(endsAt + 1_000);
}

const scenarios: Record<string, () => Promise<void>> = {
  'a WebSocket hears a heartbeat each interval, with a protocol ping': async () => {
    const client = await wire('heart');
    client.raw.socket.on('data', () => {
      client.send(clientFrame('', { opcode: PONG }));
    });
    await wait(3_400);
    const beats = client.rest.toString('latin1');
    const both = [HEARTBEAT.toString('latin1'), PROTOCOL_PING.toString('latin1')];
    const count = (text: string): number => beats.split(text).length - 1;
    expect(both.map(count)).toEqual([expect.any(Number), count(both[0]!)]);
    expect(count(both[0]!)).toBeGreaterThanOrEqual(3);
    expect(count(both[0]!)).toBeLessThanOrEqual(4);
    expect(both.reduce((rest, text) => rest.replaceAll(text, ''), beats)).toBe('');
    client.close();
  },

  'one that gives no sign of life is closed with 1001, and nothing follows': async () => {
    const startedAt = Date.now();
    const client = await wire('dead');
    await client.raw.until('the close', () => client.rest.includes(STALE));
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_950);
    // It does not answer the close frame either: nobody waits for it longer than 5 s.
    await within(6_000, client.raw.ended, 'the socket of a dead client was kept');
    expect(client.rest.subarray(-STALE.length).equals(STALE)).toBe(true);
    expect((await ara.get('/api/v1/users/dead/subscriptions')).status).toBe(404);
  },

  'text, also wrong text, is a sign of life': async () => {
    const stale = [isStale('talker', clientFrame('{"type":"Ping"}')), isStale('stutterer', clientFrame('?'))];
    expect(await Promise.all(stale)).toEqual([false, false]);
  },

  'a protocol ping is one, and so is a pong': async () => {
    const stale = [
      isStale('pinger', clientFrame('', { opcode: PING })),
      isStale('ponger', clientFrame('', { opcode: PONG })),
    ];
    expect(await Promise.all(stale)).toEqual([false, false]);
  },

  'a binary message is none': async () => {
    expect(await isStale('babbler', clientFrame('x', { opcode: BINARY }))).toBe(true);
  },

  'a browser that only listens stays, because it answers pings': async () => {
    const client = await ara.ws('listener');
    await wait(LONG_ENOUGH_MS);
    expect(client.pings).toBeGreaterThanOrEqual(4);
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect(client.inbox.all.every(({ text }) => text === '{"type":"heartbeat"}')).toBe(true);
    await client.close();
  },

  'a stream that is read stays, and hears a heartbeat event each interval': async () => {
    const stream = await ara.sse('reader');
    await wait(LONG_ENOUGH_MS);
    const beats = stream.raw.split('event: heartbeat\ndata: {"type":"heartbeat"}\n\n').length - 1;
    expect([4, 5]).toContain(beats);
    expect(stream.inbox.all.map(({ event }) => event)).toEqual([
      'connected',
      ...Array<string>(beats).fill('heartbeat'),
    ]);
    await ara.post('/api/v1/notifications/send', { target_user_id: 'reader', event_type: 'still', payload: 1 });
    expect(await stream.notification()).toMatchObject({ event_type: 'still' });
    await stream.close();
  },

  'a stream that nobody reads ends': async () => {
    const stream = await RawSocket.open(ara.url);
    stream.write(`GET /sse?token=${tokenFor('sleeper')} HTTP/1.1\r\nHost: ara.test\r\n\r\n`);
    await stream.until('the start', ({ text }) => text.includes('event: connected'));
    stream.socket.pause();
    const isThere = async (): Promise<boolean> => (await ara.get('/api/v1/users/sleeper/subscriptions')).status === 200;
    expect(await isThere()).toBe(true);
    // More than kernels take, less than what closes a slow reader at once.
    const message = { target_user_id: 'sleeper', event_type: 'e', payload: 'x'.repeat(60_000) };
    for (let i = 0; i < 110; i++) await ara.post('/api/v1/notifications/send', message);
    const floodedAt = Date.now();
    await until('the stream is gone', async () => !(await isThere()), 10_000);
    expect(Date.now() - floodedAt).toBeGreaterThan(1_000);
    stream.close();
  },

  'a WebSocket whose token expires is closed with 1008 within a second': async () => {
    const exp = inSeconds(1);
    const client = await WsWire.open(ara.url, `/ws?token=${tokenFor('late', { exp })}`);
    const endsAt = (exp + LEEWAY_SECONDS) * 1000;
    await client.raw.until('the close', () => client.rest.includes(EXPIRED));
    expectInTime(endsAt);
    expect(client.rest.subarray(-EXPIRED.length).equals(EXPIRED)).toBe(true);
    client.close();
  },

  'a stream is told in an error event, ends, and leaves its connection to the next request': async () => {
    const { socket, endsAt } = await streamThatExpires('late-stream');
    const event = 'event: error\ndata: {"type":"error","code":"TOKEN_EXPIRED","message":"Token expired"}\n\n';
    await socket.until('the end', ({ text }) => text.endsWith(`\r\n${event}\r\n0\r\n\r\n`));
    expectInTime(endsAt);
    for (const pause of [0, 5_500]) {
      await wait(pause);
      const before = socket.bytes.length;
      socket.write('GET /health/live HTTP/1.1\r\nHost: ara.test\r\n\r\n');
      await socket.until('an answer', ({ bytes }) => bytes.subarray(before).includes('{"status":"ok"}'));
    }
    socket.close();
  },

  'an expired token opens nothing any more': async () => {
    const exp = inSeconds(-LEEWAY_SECONDS - 1);
    await expect(ara.ws('late', { exp })).rejects.toThrow('401 Invalid token');
    await expect(ara.sse('late', { exp })).rejects.toThrow('401 Invalid token');
  },

  'in development a connection outlives its token': async () => {
    const exp = inSeconds(2);
    const [client, stream] = [await development.ws('late', { exp }), await development.sse('late', { exp })];
    await wait(4_000);
    expect(await client.settled()).toEqual([]);
    await development.post('/api/v1/notifications/send', { target_user_id: 'late', event_type: 'e', payload: 1 });
    await Promise.all([client.notification(), stream.notification()]);
    await client.close();
    await stream.close();
  },
};

const running = new Map<string, Promise<void>>();

beforeAll(async () => {
  [ara, development] = await Promise.all([
    AraProcess.start({
      WEBSOCKET_HEARTBEAT_INTERVAL: '1',
      WEBSOCKET_CONNECTION_TIMEOUT: '2',
      WEBSOCKET_CLEANUP_INTERVAL: '1',
      WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: 'true',
      JWT_LEEWAY_SECONDS: String(LEEWAY_SECONDS),
    }),
    AraProcess.start({ JWT_LEEWAY_SECONDS: '0' }),
  ]);
  for (const [name, run] of Object.entries(scenarios)) {
    const ran = run();
    running.set(name, ran);
    // Its own test reports it.
    ran.catch(() => undefined);
  }
});
afterAll(() => Promise.all([ara.stop(), development.stop()]));

it.each(Object.keys(scenarios))('%s', (name) => running.get(name));
