/** What the two appending processes have in common: what they append, and how they answer the bench. */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { Logger } from '@nestjs/common';
import { DEFAULT_TENANT, parseNotificationId, parseUserId } from '../../../src/notification/ids';
import type { Append } from '../../../src/queue/queue-store';

/** Of a user's queue. */
export const CAP = 100;
const USERS = 1000;
const LIFE_MS = 3_600_000;
const { publishedBody } = createRequire(__filename)('../workload.cjs') as { publishedBody(): string };
const json = publishedBody();
let sent = 0;

/** A notification for the next of a thousand users. */
export function nextAppend(): Append {
  const id = parseNotificationId(randomUUID());
  const user = parseUserId(`user-${sent++ % USERS}`);
  if (id === undefined || user === undefined) throw new Error('not an id');
  const body = { id, priority: 'Normal', expiresAt: Date.now() + LIFE_MS, json } as const;
  return { tenant: DEFAULT_TENANT, users: [user], body, present: new Set() };
}

/** Answers each of the bench's questions by what `run` makes of it; ready from now on. */
export function answerBy(run: (question: never) => Promise<object>): void {
  Logger.overrideLogger(false);
  process.on('message', (question: unknown) => {
    run(question as never).then(
      (answer) => process.send?.(answer),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
  process.send?.({ port: 0 });
}
