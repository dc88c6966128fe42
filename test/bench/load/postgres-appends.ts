/** The queue's PostgreSQL store behind its coalescer, and single inserts into the same table for comparison. */
import { Pool } from 'pg';
import { Coalescer } from '../../../src/coalescing/coalescer';
import { PostgresQueueStore } from '../../../src/queue/postgres-queue.store';
import type { Append, AppendOutcome } from '../../../src/queue/queue-store';
import { postgresService } from '../../support/postgres-service';
import { answerBy, CAP, nextAppend } from './appends';

const MOST_PER_BATCH = 500;
const POOL_SIZE = 10;
const INSERT = {
  name: 'single',
  text: `INSERT INTO ara.message_queue (tenant_id, user_id, notification_id, priority, event_data, queued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, now(), now() + interval '1 hour')`,
};

type Question = { readonly open: string } | { readonly how: 'singly' | 'coalesced'; callers: number; count: number };

let pool: Pool | undefined;
let appends: Coalescer<Append, AppendOutcome> | undefined;

async function insert(): Promise<unknown> {
  const { tenant, users, body } = nextAppend();
  return pool?.query({ ...INSERT, values: [tenant, users[0], body.id, body.priority, body.json] });
}

async function open(url: string): Promise<void> {
  pool = new Pool({ connectionString: url, max: POOL_SIZE });
  const store = new PostgresQueueStore(postgresService(url, { poolSize: POOL_SIZE }));
  await store.open();
  appends = new Coalescer((items) => store.append(items, CAP, Date.now()), { maxBatch: MOST_PER_BATCH });
}

answerBy(async (question: Question) => {
  if ('open' in question) return open(question.open).then(() => ({}));
  await pool?.query('TRUNCATE ara.message_queue');
  const { how, callers, count } = question;
  const startedAt = performance.now();
  let left = count;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await (how === 'singly' ? insert() : appends?.submit(nextAppend()));
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { seconds: (performance.now() - startedAt) / 1000 };
});
