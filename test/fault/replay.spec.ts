import { AraProcess } from '../support/ara-process';
import { hasRedisServer } from '../support/redis-server';
import type { StoreName } from './audit/options';
import { type AuditStore, startStore } from './audit/stores';

/** What clients are promised about coming back. */
const FIRST_MS = 200;
const ALL_MS = 1000;
const BATCH = 100;
const COUNTS = [33, 100, 1000];
/** A machine that does something else at that moment gets another chance; the order has none. */
const ATTEMPTS = 3;

if (!hasRedisServer) console.warn('No redis-server here: what replays from Redis is not tested.');
const STORES: readonly StoreName[] = hasRedisServer ? ['redis', 'postgres', 'embedded'] : ['postgres', 'embedded'];

interface Replay {
  readonly firstMs: number;
  readonly allMs: number;
  readonly order: readonly number[];
}

describe.each(STORES)('a user comes back to what %s has kept', (name) => {
  let store: AuditStore;
  let ara: AraProcess;

  beforeAll(async () => {
    store = await startStore({ store: name, fsync: 'always', fault: 'none', waitsForReplica: false });
    ara = await AraProcess.start({ QUEUE_ENABLED: 'true', QUEUE_MAX_SIZE_PER_USER: '2000', ...store.env() });
    // The first connection of a process pays for what is loaded and compiled once.
    await keep('somebody', BATCH);
    await comeBack('somebody', BATCH);
  }, 60_000);

  afterAll(async () => {
    await ara.stop();
    await store.close();
  });

  async function keep(user: string, count: number): Promise<void> {
    for (let from = 0; from < count; from += BATCH) {
      const notifications = Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => ({
        target: { type: 'user', value: user },
        event_type: 'kept',
        payload: { n: from + at, text: 'x'.repeat(200) },
      }));
      const answer = await ara.post('/api/v1/notifications/batch', { notifications });
      expect(answer.json()).toMatchObject({ summary: { succeeded: notifications.length } });
    }
  }

  /** Connects, and at the same moment somebody posts something new. */
  async function comeBack(user: string, count: number): Promise<Replay> {
    const startedAt = performance.now();
    const connecting = ara.ws(user);
    const posting = ara.post('/api/v1/notifications/send', {
      target_user_id: user,
      event_type: 'live',
      payload: { n: count },
    });
    const client = await connecting;
    const order: number[] = [];
    let firstMs = 0;
    let allMs = 0;
    while (order.length < count + 1) {
      const { payload } = await client.notification();
      order.push((payload as { n: number }).n);
      if (order.length === 1) firstMs = performance.now() - startedAt;
      if (order.length === count) allMs = performance.now() - startedAt;
    }
    expect((await posting).json()).toMatchObject({ success: true, durable: true });
    await client.close();
    return { firstMs, allMs, order };
  }

  it.each(COUNTS)('%d notifications: soon, in order, and before anything new', async (count) => {
    let replay: Replay | undefined;
    for (let attempt = 1; attempt <= ATTEMPTS && !isSoon(replay); attempt++) {
      const user = `user-${count}-${attempt}`;
      await keep(user, count);
      replay = await comeBack(user, count);
      expect(replay.order).toEqual(Array.from({ length: count + 1 }, (_, n) => n));
      if (process.env['REPLAY_FIGURES'] === '1') {
        const [first, all] = [replay.firstMs, replay.allMs].map(Math.round);
        process.stderr.write(`${name}: ${count} notifications, the first after ${first} ms, all after ${all} ms\n`);
      }
    }
    expect(replay?.firstMs).toBeLessThanOrEqual(FIRST_MS);
    expect(replay?.allMs).toBeLessThanOrEqual(ALL_MS);
  });
});

function isSoon(replay: Replay | undefined): boolean {
  return replay !== undefined && replay.firstMs <= FIRST_MS && replay.allMs <= ALL_MS;
}
