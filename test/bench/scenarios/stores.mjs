/** T12: what keeping costs in the stores themselves, without a service around them. */
import { interleaved, median } from '../stage.mjs';

const BATCH = 100;
const CALLERS = 64;

export async function stores(stage) {
  const rounds = stage.options.smoke ? 3 : 7;
  return [...(await inRedis(stage, rounds)), ...(await inPostgres(stage, rounds))];
}

async function inRedis(stage, rounds) {
  const what = `Redis append in batches of ${BATCH}: µs client CPU each`;
  const redis = await stage.redis();
  if (redis === undefined) return [{ id: 'T12', what, missing: 'redis-server not found' }];
  const appender = await stage.sources('redis-appends.ts');
  await appender.ask({ open: redis.url });
  const count = 20_000;
  const measure = async ({ batch, share }) => {
    const before = appender.cpuMicros;
    await appender.ask({ batch, count: count * share });
    return (appender.cpuMicros - before) / (count * share);
  };
  const contestants = { batches: { batch: BATCH, share: 1 }, singly: { batch: 1, share: 0.1 } };
  const figures = await interleaved(stage, 'Redis appends', rounds, contestants, measure);
  await stage.end();
  const per = { 'in batches': median(figures.batches), 'one after the other': median(figures.singly) };
  return [
    { id: 'T12', what, value: per['in batches'], atMost: 2.5, isAbsolute: true, per, unit: 'µs client CPU per append' },
  ];
}

async function inPostgres(stage, rounds) {
  const what = `PostgreSQL: rows per second appended by ${10 * BATCH} callers at once, against single inserts`;
  const postgres = await stage.postgres();
  if (postgres === undefined) return [{ id: 'T12', what, missing: 'PostgreSQL not found' }];
  const appender = await stage.sources('postgres-appends.ts');
  await appender.ask({ open: postgres.url });
  const measure = async ({ how, callers, count }) => {
    const { seconds } = await appender.ask({ how, callers, count });
    return count / seconds;
  };
  const contestants = {
    'single inserts': { how: 'singly', callers: CALLERS, count: 4000 },
    ara: { how: 'coalesced', callers: 10 * BATCH, count: 16_000 },
  };
  const figures = await interleaved(stage, 'PostgreSQL appends', rounds, contestants, measure);
  await stage.end();
  const per = { 'single inserts': median(figures['single inserts']), ara: median(figures.ara) };
  const value = median(figures.ara.map((rate, i) => rate / figures['single inserts'][i]));
  return [{ id: 'T12', what, value, atLeast: 4, per, unit: 'rows per second' }];
}
