import { configOf, connectionOf, type Made } from '../../test/support/engine';
import { FakeClock } from '../../test/support/fake-clock';
import { FakeSink } from '../../test/support/fake-sink';
import { CLOSE } from '../protocol/close-reason';
import { TokenExpiryService } from './token-expiry.service';

/** The verifier accepts a token for so long after its `exp`. */
const LEEWAY_MS = 60_000;

let clock: FakeClock;
let expiry: TokenExpiryService;

function start(env: Record<string, string> = { WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: 'true' }): void {
  clock = new FakeClock();
  expiry = new TokenExpiryService(configOf(env), clock);
  expiry.onModuleInit();
}

beforeEach(() => {
  jest.useFakeTimers();
  start();
});

afterEach(() => {
  expiry.onModuleDestroy();
  jest.useRealTimers();
});

function pass(milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 250) {
    clock.advance(250);
    jest.advanceTimersByTime(250);
  }
}

function connect(expiresInMs: number, sink = new FakeSink()): Made {
  const connection = connectionOf({ sink, connectedAt: clock.now(), expiresAt: clock.now() + expiresInMs });
  expiry.add(connection);
  return connection;
}

it('closes a WebSocket with 1008 within a second of the end of its token and the leeway, and no sooner', () => {
  const connection = connect(10_000);
  pass(9_750 + LEEWAY_MS);
  expect(connection.isOpen).toBe(true);
  pass(1000);
  expect(connection.sink.closes.map(({ reason }) => reason)).toEqual([CLOSE.tokenExpired]);
  expect(connection.sink.texts).toEqual([]);
});

it('tells an SSE stream why before it ends it', () => {
  const connection = connect(1000, new FakeSink('sse'));
  pass(1000 + LEEWAY_MS);
  expect(connection.sink.texts).toEqual(['{"type":"error","code":"TOKEN_EXPIRED","message":"Token expired"}']);
  expect(connection.sink.takenBytes.toString()).toContain('event: error\n');
  expect(connection.isOpen).toBe(false);
});

it('takes tokens that end within a second, at the same second, and not at all', () => {
  const connections = [100, 900, 1000].map((ms) => connect(ms));
  const forEver = connect(Number.MAX_SAFE_INTEGER - clock.now());
  pass(1000 + LEEWAY_MS);
  expect(connections.map(({ isOpen }) => isOpen)).toEqual([false, false, false]);
  expect(forEver.isOpen).toBe(true);
});

it('closes soon also what was registered when its token was over already', () => {
  const connection = connectionOf({ connectedAt: clock.now(), expiresAt: clock.now() - LEEWAY_MS + 1 });
  pass(3000);
  expiry.add(connection);
  pass(1000);
  expect(connection.isOpen).toBe(false);
});

it('forgets connections that are gone', () => {
  const [gone, late, other] = [connect(1000), connect(1000), connect(1000)];
  expiry.delete(gone);
  expiry.delete(gone);
  pass(1000 + LEEWAY_MS);
  expiry.delete(late);
  expect([gone, late, other].map(({ isOpen }) => isOpen)).toEqual([true, false, false]);
});

it('misses nothing when the process stood still for a while', () => {
  const connections = [1000, 5000, 60_000].map((ms) => connect(ms));
  clock.advance(70_000 + LEEWAY_MS);
  jest.advanceTimersByTime(250);
  expect(connections.map(({ isOpen }) => isOpen)).toEqual([false, false, false]);
});

it('closes nobody while it is off, and nobody after the end', () => {
  start({ WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: 'false' });
  const connection = connect(1000);
  pass(2000 + LEEWAY_MS);
  expect(connection.isOpen).toBe(true);
  expect(jest.getTimerCount()).toBe(1);
  start();
  const other = connect(1000);
  expiry.onModuleDestroy();
  pass(2000 + LEEWAY_MS);
  expect(other.isOpen).toBe(true);
});
