/** T1, T2, T3: one notification to many clients. T4: a burst of notifications in one turn. */
import { advantage, interleaved, median, medians, percentile, post } from '../stage.mjs';
import { batchBody } from '../workload.cjs';

const BURST = 20;
/** They decide nothing: one that is not there, or does not carry the load, is named and left out. */
const PEERS = ['Nchan', 'Centrifugo'];

export async function fanOut(stage) {
  const { smoke } = stage.options;
  const clients = smoke ? 2000 : 10_000;
  const times = smoke ? 8 : 5;
  const rounds = smoke ? 4 : 7;
  const lastClientMs = [];
  const load = { cpu: 0, wall: 0 };
  const contestants = {};
  const make = {
    raw: () => stage.raw(),
    ara: () => stage.ara(),
    nest: () => stage.nest(),
    'socket.io': () => stage.socketIo(),
    ...(!smoke && { Nchan: () => stage.nchan(), Centrifugo: () => stage.centrifugo() }),
  };
  /** Why each of those that decide nothing has no figure. */
  const missing = new Map();
  for (const [name, start] of Object.entries(make)) {
    const server = await start();
    if (server === undefined) missing.set(name, 'not found');
    else contestants[name] = { name, server, listeners: await stage.listeners(server, clients) };
    stage.progress(`fan-out: ${server === undefined ? `${name} not found` : `${clients} clients of ${name}`}`);
  }
  const figures = await interleaved(stage, 'fan-out', rounds, contestants, async (contestant) => {
    const { name } = contestant;
    if (missing.has(name)) return NaN;
    try {
      return await measure(contestant);
    } catch (error) {
      if (!PEERS.includes(name)) throw error;
      missing.set(name, error.message);
      stage.progress(`fan-out: ${name} is left out: ${error.message}`);
      return NaN;
    }
  });
  async function measure({ name, server, listeners }) {
    const before = server.cpuMicros;
    const loadBefore = listeners.cpuMicros;
    const startedAt = performance.now();
    for (let i = 0; i < times; i++) {
      await listeners.ask({ do: 'expect', count: clients });
      const sentAt = process.hrtime.bigint();
      await server.broadcast(1);
      const { lastAt } = await listeners.ask({ do: 'wait' });
      if (name === 'ara') lastClientMs.push(Number(BigInt(lastAt) - sentAt) / 1e6);
    }
    load.wall += performance.now() - startedAt;
    load.cpu += (listeners.cpuMicros - loadBefore) / 1000;
    return (server.cpuMicros - before) / (times * clients);
  }
  await stage.end();
  for (const name of missing.keys()) delete figures[name];
  const of = `one notification to ${clients} clients`;
  const against = (name) => advantage(stage, figures[name], figures.ara);
  return [
    {
      ...{ id: 'T1', what: `${of}, against raw net`, value: against('raw'), atLeast: 0.9 },
      ...{ per: medians(figures), unit: 'µs CPU per delivery', loadBusy: load.cpu / load.wall },
    },
    { id: 'T2', what: `${of}, against socket.io`, value: against('socket.io'), atLeast: 1.7 },
    { id: 'T2', what: `${of}, against a stock Nest gateway`, value: against('nest'), atLeast: 1.35 },
    ...PEERS.filter((name) => name in figures).map((name) => ({
      ...{ id: 'T2', what: `${of}, against ${name}`, value: against(name) },
    })),
    ...[...missing].map(([name, why]) => ({ id: 'T2', what: `${of}, against ${name}`, missing: `${name}: ${why}` })),
    {
      ...{ id: 'T3', what: `${of}: last client, p95 in ms`, value: percentile(lastClientMs, 0.95) },
      ...{ atMost: 100, isAbsolute: true },
    },
  ];
}

export async function burst(stage) {
  const { smoke } = stage.options;
  const clients = smoke ? 300 : 1000;
  const times = 10;
  const rounds = smoke ? 3 : 7;
  const body = batchBody(Array.from({ length: BURST }, () => ({ type: 'broadcast' })));
  const contestants = {};
  for (const [name, server] of Object.entries({ raw: await stage.raw(), ara: await stage.ara() })) {
    contestants[name] = { name, server, listeners: await stage.listeners(server, clients) };
  }
  const figures = await interleaved(stage, 'burst', rounds, contestants, async ({ name, server, listeners }) => {
    const before = server.cpuMicros;
    for (let i = 0; i < times; i++) {
      await listeners.ask({ do: 'expect', count: clients * BURST });
      if (name === 'ara') await post(server.port, '/api/v1/notifications/batch', body);
      else await server.broadcast(BURST);
      await listeners.ask({ do: 'wait' });
    }
    return (server.cpuMicros - before) / (times * clients * BURST);
  });
  await stage.end();
  const per = { 'one write each': median(figures.raw), ara: median(figures.ara) };
  const what = `${BURST} notifications at once to ${clients} clients, against one write per message`;
  const value = advantage(stage, figures.raw, figures.ara);
  return [{ id: 'T4', what, value, atLeast: 10, per, unit: 'µs CPU per delivery' }];
}
