/** T6: a send to one user. T7: every other route. T8: a batch. */
import { advantage, interleaved, median, post } from '../stage.mjs';
import { API_KEY, batchBody, sendBody } from '../workload.cjs';

const USERS = 100;
const CONNECTIONS = 16;
const SEND = '/api/v1/notifications/send';

export async function requests(stage) {
  const { smoke, only } = stage.options;
  const rounds = smoke ? 3 : 7;
  const ara = await stage.ara();
  const queue = await stage.ara({ QUEUE_ENABLED: 'true' });
  const ack = await stage.ara({ QUEUE_ENABLED: 'true', ACK_ENABLED: 'true' });
  for (const server of [ara, queue, ack]) await stage.listeners(server, USERS);
  const { answer } = await post(ara.port, SEND, sendBody('user-0'));
  // Less those that every answer of Node has.
  const headers = [...answer.headers.keys()].filter(
    (name) => !/^(date|connection|keep-alive|content-)/.test(name),
  ).length;
  const raw = await stage.raw(headers);
  const nest = await stage.nest();
  for (const server of [raw, nest]) await stage.listeners(server, USERS);
  const load = await stage.load('requests');

  const measure = (what, contestants) =>
    interleaved(stage, what, rounds, contestants, async ({ server, count, ...request }) => {
      const before = server.cpuMicros;
      await load.ask({
        port: server.port,
        connections: CONNECTIONS,
        headers: { 'X-API-Key': API_KEY },
        count,
        ...request,
      });
      return (server.cpuMicros - before) / count;
    });
  const results = [];
  const loadBefore = load.cpuMicros;
  const startedAt = performance.now();
  if (only('T6')) {
    const send = (server, count) => ({ server, count, method: 'POST', path: SEND, body: sendBody('user-0') });
    const many = smoke ? 3000 : 8000;
    const figures = await measure('send', {
      raw: send(raw, many),
      ara: send(ara, many),
      'queue on': send(queue, many),
      'queue and ACK on': send(ack, many),
      nest: send(nest, many / 4),
    });
    const per = Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, median(values)]));
    const what = 'POST send to a user with one connection';
    results.push(
      {
        id: 'T6',
        what: `${what}, against raw node:http`,
        value: advantage(figures.raw, figures.ara),
        atLeast: 0.8,
        per,
        unit: 'µs CPU per request',
      },
      {
        id: 'T6',
        what: `${what}, against a conventional Nest route`,
        value: advantage(figures.nest, figures.ara),
        atLeast: 6,
      },
      { id: 'T6', what: `${what}, queue on against off`, value: advantage(figures.ara, figures['queue on']) },
      {
        id: 'T6',
        what: `${what}, queue and ACK on against off`,
        value: advantage(figures.ara, figures['queue and ACK on']),
      },
    );
  }
  if (only('T7')) {
    const get = (server, path) => ({ server, count: smoke ? 2000 : 4000, method: 'GET', path });
    const figures = await measure('other routes', { ara: get(ara, '/api/v1/channels'), nest: get(nest, '/stock') });
    const per = { ara: median(figures.ara), 'Nest route with a guard': median(figures.nest) };
    const what = 'GET channels, against a stock Nest + Express route';
    results.push({
      id: 'T7',
      what,
      value: advantage(figures.nest, figures.ara),
      atLeast: 2,
      per,
      unit: 'µs CPU per request',
    });
  }
  if (only('T8')) {
    const body = batchBody(Array.from({ length: USERS }, (_, i) => ({ type: 'user', value: `user-${i}` })));
    const batch = (server) => ({
      server,
      count: smoke ? 60 : 200,
      method: 'POST',
      path: '/api/v1/notifications/batch',
      body,
    });
    const figures = await measure('batch', { raw: batch(raw), ara: batch(ara) });
    const per = { raw: median(figures.raw) / USERS, ara: median(figures.ara) / USERS };
    const what = `POST batch of ${USERS} to ${USERS} users, against raw node:http`;
    results.push(
      { id: 'T8', what, value: advantage(figures.raw, figures.ara), atLeast: 0.9, per, unit: 'µs CPU per item' },
      { id: 'T8', what: 'the same, µs CPU per item', value: per.ara, atMost: 9, isAbsolute: true },
    );
  }
  if (results.length > 0) results[0].loadBusy = (load.cpuMicros - loadBefore) / 1000 / (performance.now() - startedAt);
  await stage.end();
  return results;
}
