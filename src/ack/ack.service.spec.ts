import { Logger } from '@nestjs/common';
import { configOf, id, tenant, user } from '../../test/support/engine';
import { FakeClock } from '../../test/support/fake-clock';
import { DEFAULT_TENANT } from '../notification/ids';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { Metrics } from '../telemetry/metrics';
import { AckMetrics } from './ack.metrics';
import { AckService } from './ack.service';
import { type AckStore, NullAckStore } from './ack-store';
import { GroupAcks } from './group-acks';
import { MemoryAckStore } from './memory-ack.store';

let clock: FakeClock;
let store: MemoryAckStore;
let metrics: Metrics;
let ack: AckService;

function serviceOver(over: AckStore, env: Record<string, string> = {}): AckService {
  const groups = new GroupAcks();
  metrics = new Metrics();
  const config = configOf({ ACK_ENABLED: 'true', ACK_TIMEOUT_SECONDS: '30', ...env });
  return new AckService(over, config, clock, new AckMetrics(metrics, over, groups), groups);
}

beforeEach(() => {
  clock = new FakeClock();
  store = new MemoryAckStore();
  ack = serviceOver(store);
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const ref = (n: number, name: string, of = DEFAULT_TENANT) => ({ tenant: of, notification: id(n), user: user(name) });

async function value(name: string): Promise<number> {
  const line = (await metrics.render()).split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

/** Of its groups and of the store. */
async function pending(): Promise<number> {
  return ack.pendingInGroups + (await ack.pendingInStore());
}

it('expects one acknowledgement per user, in one call of the store, and settles it once', async () => {
  const trackMany = jest.spyOn(store, 'trackMany');
  await ack.track(DEFAULT_TENANT, id(1), [user('a'), user('b')]);
  expect(trackMany).toHaveBeenCalledTimes(1);
  expect(await pending()).toBe(2);
  clock.advance(400);
  expect(await ack.acknowledge(ref(1, 'a'))).toEqual({ kind: 'acked', latencyMs: 400 });
  expect(await ack.acknowledge(ref(1, 'a'))).toEqual({ kind: 'unknown' });
  expect(await ack.acknowledge(ref(1, 'c'))).toEqual({ kind: 'unknown' });
  expect(await ack.acknowledge(ref(1, 'b', tenant('t')))).toEqual({ kind: 'unknown' });
  expect(await pending()).toBe(1);
});

it('settles members of a group without asking the store', async () => {
  const acknowledgeMany = jest.spyOn(store, 'acknowledgeMany');
  ack.trackGroup(DEFAULT_TENANT, id(1), [user('a'), user('b')]);
  clock.advance(100);
  expect(await ack.acknowledge(ref(1, 'a'))).toEqual({ kind: 'acked', latencyMs: 100 });
  expect(acknowledgeMany).not.toHaveBeenCalled();
  expect(await pending()).toBe(1);
});

it('refuses what comes too late, and counts it as expired', async () => {
  await ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  ack.trackGroup(DEFAULT_TENANT, id(2), [user('a')]);
  clock.advance(30_000);
  expect(await ack.acknowledge(ref(1, 'a'))).toEqual({ kind: 'late' });
  expect(await ack.acknowledge(ref(2, 'a'))).toEqual({ kind: 'late' });
  expect(ack.figures).toEqual({ tracked: 2, acked: 0, expired: 2, latencyMs: 0 });
});

it('figures: what is tracked, acknowledged and expired, and the latency of what came in time', async () => {
  expect(ack.figures).toEqual({ tracked: 0, acked: 0, expired: 0, latencyMs: 0 });
  await ack.track(DEFAULT_TENANT, id(1), ['a', 'b', 'c'].map(user));
  await ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  ack.trackGroup(DEFAULT_TENANT, id(2), ['a', 'b'].map(user));
  clock.advance(101);
  await ack.acknowledge(ref(1, 'a'));
  clock.advance(100);
  await ack.acknowledge(ref(2, 'b'));
  clock.advance(29_799);
  await ack.sweep();
  expect(ack.figures).toEqual({ tracked: 5, acked: 2, expired: 3, latencyMs: 302 });
  expect(await pending()).toBe(0);
  expect(await value('ara_ack_tracked_total')).toBe(5);
  expect(await value('ara_ack_received_total')).toBe(2);
  expect(await value('ara_ack_expired_total')).toBe(3);
  expect(await value('ara_ack_pending')).toBe(0);
  expect(await value('ara_ack_latency_seconds_count')).toBe(2);
  expect(await value('ara_ack_latency_seconds_sum')).toBeCloseTo(0.302);
});

it('counts what was sent again after its time as expired, though no sweep had seen it', async () => {
  await ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  clock.advance(30_000);
  await ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  expect(ack.figures).toMatchObject({ tracked: 2, expired: 1 });
  expect(await value('ara_ack_expired_total')).toBe(1);
  expect(await store.totals()).toMatchObject({ tracked: 2, expired: 1, pending: 1 });
});

it('lets no dead store hold up a notification: tracking resolves, acknowledging rejects', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const down = new StoreUnavailableError('redis', 'connection refused');
  jest.spyOn(store, 'trackMany').mockRejectedValue(down);
  jest.spyOn(store, 'acknowledgeMany').mockRejectedValue(down);
  await ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  await ack.track(DEFAULT_TENANT, id(2), [user('a')]);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn).toHaveBeenCalledWith({ msg: expect.stringContaining('connection refused') as unknown });
  await expect(ack.acknowledge(ref(1, 'a'))).rejects.toBe(down);
  expect(ack.figures.tracked).toBe(0);
});

it('waits for a silent store no longer than STORE_TIMEOUT_MS', async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  jest.spyOn(store, 'trackMany').mockReturnValue(new Promise(() => undefined));
  ack = serviceOver(store, { STORE_TIMEOUT_MS: '20' });
  const before = performance.now();
  await ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  expect(performance.now() - before).toBeLessThan(1000);
});

it('sweeps at its interval, also after a sweep that failed', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const [open, close] = [jest.spyOn(store, 'open'), jest.spyOn(store, 'close')];
  const sweep = jest.spyOn(store, 'sweep').mockRejectedValueOnce(new Error('no answer'));
  ack = serviceOver(store, { ACK_CLEANUP_INTERVAL_SECONDS: '60' });
  await ack.onModuleInit();
  expect(open).toHaveBeenCalledTimes(1);
  await jest.advanceTimersByTimeAsync(120_000);
  expect(sweep).toHaveBeenCalledTimes(2);
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('no answer'));
  ack.onModuleDestroy();
  await jest.advanceTimersByTimeAsync(120_000);
  expect(sweep).toHaveBeenCalledTimes(2);
  void ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  await ack.onApplicationShutdown();
  expect((await store.totals()).tracked).toBe(1);
  expect(close).toHaveBeenCalledTimes(1);
});

it('does nothing while it is off', async () => {
  const off = new NullAckStore();
  const [open, trackMany] = [jest.spyOn(off, 'open'), jest.spyOn(off, 'trackMany')];
  ack = serviceOver(off, { ACK_ENABLED: 'false' });
  await ack.onModuleInit();
  await ack.track(DEFAULT_TENANT, id(1), [user('a')]);
  ack.trackGroup(DEFAULT_TENANT, id(2), [user('a')]);
  expect(ack.isEnabled).toBe(false);
  expect(open).not.toHaveBeenCalled();
  expect(trackMany).not.toHaveBeenCalled();
  expect(await pending()).toBe(0);
  expect(await value('ara_ack_pending')).toBe(0);
  await ack.onApplicationShutdown();
});
