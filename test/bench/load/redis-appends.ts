/** The queue's Redis store by itself, in a process whose CPU time is that of the client side. */
import { RedisQueueStore } from '../../../src/queue/redis-queue.store';
import { redisConfig, redisHa } from '../../support/redis-ha';
import { answerBy, CAP, nextAppend } from './appends';

type Question = { readonly open: string } | { readonly batch: number; readonly count: number };

let store: RedisQueueStore | undefined;

answerBy(async (question: Question) => {
  if ('open' in question) {
    store = new RedisQueueStore(redisHa(question.open), redisConfig(question.open));
    await store.open();
    return {};
  }
  const { batch, count } = question;
  for (let done = 0; done < count; done += batch) {
    await store?.append(Array.from({ length: batch }, nextAppend), CAP, Date.now());
  }
  return {};
});
