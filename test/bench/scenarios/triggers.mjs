/** T11: from a message that Redis publishes to the frame on its user's connection. */
import { advantage, interleaved, median } from '../stage.mjs';

/** Few enough that a client which does not get its turn for a while is not taken for one that has stopped reading. */
const PER_STEP = 2000;
const CHANNELS = 'notification:user:*';

export async function triggers(stage) {
  const { smoke } = stage.options;
  const count = smoke ? 10_000 : 30_000;
  const rounds = smoke ? 3 : 7;
  const what = 'Redis trigger to frame';
  const redis = await stage.redis();
  if (redis === undefined) return [{ id: 'T11', what, missing: 'redis-server not found' }];
  const results = [];
  for (const users of smoke ? [1] : [1, 100]) {
    const publisher = await stage.load('publisher.mjs');
    const ara = await stage.ara({ REDIS_URL: redis.url, REDIS_CHANNELS: CHANNELS });
    const raw = await stage.raw();
    await raw.child.ask({ redis: redis.url });
    const contestants = {};
    // Both hear what is published: each is measured on all of it, at the same time.
    for (const [name, server] of Object.entries({ raw, ara })) {
      contestants[name] = { server, listeners: await stage.listeners(server, users) };
    }
    const load = { cpu: 0, wall: 0 };
    const figures = await interleaved(stage, `triggers for ${users}`, rounds, { both: contestants }, async (both) => {
      const all = Object.entries(both);
      const before = all.map(([, { server }]) => server.cpuMicros);
      const loadBefore = publisher.cpuMicros;
      const startedAt = performance.now();
      for (let sent = 0; sent < count; sent += PER_STEP) {
        for (const [, { listeners }] of all) await listeners.ask({ do: 'expect', count: PER_STEP });
        await publisher.ask({ port: redis.port, users, count: PER_STEP });
        for (const [, { listeners }] of all) await listeners.ask({ do: 'wait' });
      }
      load.wall += performance.now() - startedAt;
      load.cpu += (publisher.cpuMicros - loadBefore) / 1000;
      return Object.fromEntries(all.map(([name, { server }], i) => [name, (server.cpuMicros - before[i]) / count]));
    });
    const of = (name) => figures.both.map((each) => each[name]);
    const per = { raw: median(of('raw')), ara: median(of('ara')) };
    const whom = users === 1 ? 'for one user' : `for ${users} users in turn`;
    results.push(
      {
        ...{ id: 'T11', what: `${what} ${whom}: messages per CPU second`, value: 1e6 / per.ara },
        ...{ per, unit: 'µs CPU per message', loadBusy: load.cpu / load.wall },
        ...(users === 1 && { atLeast: 150_000, isAbsolute: true }),
      },
      {
        ...{ id: 'T11', what: `${what} ${whom}, against ioredis and one write each` },
        value: advantage(stage, of('raw'), of('ara')),
        // No target of its own; a smoke test can judge by nothing else.
        ...(smoke && { atLeast: 1 }),
      },
    );
  }
  await stage.end();
  return results;
}
