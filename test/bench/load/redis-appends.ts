/** The queue's Redis store by itself, in a process whose CPU time is that of the client side. */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { Logger } from '@nestjs/common';
import { DEFAULT_TENANT, parseNotificationId, parseUserId } from '../../../src/notification/ids';
import type { Append } from '../../../src/queue/queue-store';
import { RedisQueueStore } from '../../../src/queue/redis-queue.store';
import { redisConfig, redisHa } from '../../support/redis-ha';

Logger.overrideLogger(false);

const { publishedBody } = createRequire(__filename)('../workload.cjs') as { publishedBody(): string };
const USERS = 1000;
const CAP = 100;
const LIFE_MS = 60_000;
const json = publishedBody();
let store: RedisQueueStore | undefined;
let sent = 0;

function append(): Append {
  const id = parseNotificationId(randomUUID());
  const user = parseUserId(`user-${sent++ % USERS}`);
  if (id === undefined || user === undefined) throw new Error('not an id');
  const body = { id, priority: 'Normal', expiresAt: Date.now() + LIFE_MS, json } as const;
  return { tenant: DEFAULT_TENANT, users: [user], body, present: new Set() };
}

async function run({ open, batch = 0, count = 0 }: { open?: string; batch?: number; count?: number }): Promise<void> {
  if (open !== undefined) {
    store = new RedisQueueStore(redisHa(open), redisConfig(open));
    await store.open();
  }
  for (let done = 0; done < count; done += batch) {
    await store?.append(Array.from({ length: batch }, append), CAP, Date.now());
  }
}

process.on('message', (question: Parameters<typeof run>[0]) => {
  run(question).then(
    () => process.send?.({}),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.send?.({ port: 0 });
