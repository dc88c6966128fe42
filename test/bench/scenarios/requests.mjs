/** T6: a send to one user. T7: every other route. T8: a batch. */
import { advantage, interleaved, median, medians, post } from '../stage.mjs';
import { API_KEY, batchBody, sendBody } from '../workload.cjs';

const USERS = 100;
const CONNECTIONS = 16;
const SEND = '/api/v1/notifications/send';

export async function requests(stage) {
  const { smoke, only } = stage.options;
  const rounds = smoke ? 3 : 7;
  const ara = await stage.ara();
  await stage.listeners(ara, USERS);
  const { answer } = await post(ara.port, SEND, sendBody('user-0'));
  // Less those that every answer of Node has.
  const headers = [...answer.headers.keys()].filter(
    (name) => !/^(date|connection|keep-alive|content-)/.test(name),
  ).length;
  const raw = await stage.raw(headers);
  const nest = await stage.nest();
  for (const server of [raw, nest]) await stage.listeners(server, USERS);
  const load = await stage.load('requests.mjs');

  const measure = (what, contestants) =>
    interleaved(stage, what, rounds, contestants, async ({ server, count, ...request }) => {
      const before = server.cpuMicros;
      const headers = { 'X-API-Key': API_KEY };
      await load.ask({ port: server.port, connections: CONNECTIONS, headers, count, ...request });
      return (server.cpuMicros - before) / count;
    });
  const results = [];
  const loadBefore = load.cpuMicros;
  const startedAt = performance.now();
  if (only('T6')) {
    const send = (server, count) => ({ server, count, method: 'POST', path: SEND, body: sendBody('user-0') });
    const many = smoke ? 3000 : 8000;
    const contestants = { raw: send(raw, many), ara: send(ara, many), nest: send(nest, many / 4) };
    const figures = await measure('send', contestants);
    const what = 'POST send to a user with one connection';
    const against = (name) => advantage(stage, figures[name], figures.ara);
    results.push(
      {
        ...{ id: 'T6', what: `${what}, against raw node:http`, value: against('raw'), atLeast: 0.8 },
        ...{ per: medians(figures), unit: 'µs CPU per request' },
      },
      { id: 'T6', what: `${what}, against a conventional Nest route`, value: against('nest'), atLeast: 6 },
    );
  }
  if (only('T7')) {
    const get = (server, path) => ({ server, count: smoke ? 2000 : 4000, method: 'GET', path });
    const figures = await measure('other routes', { ara: get(ara, '/api/v1/channels'), nest: get(nest, '/stock') });
    const per = { ara: median(figures.ara), 'Nest route with a guard': median(figures.nest) };
    const what = 'GET channels, against a stock Nest + Express route';
    const value = advantage(stage, figures.nest, figures.ara);
    results.push({ id: 'T7', what, value, atLeast: 2, per, unit: 'µs CPU per request' });
  }
  if (only('T8')) {
    const body = batchBody(Array.from({ length: USERS }, (_, i) => ({ type: 'user', value: `user-${i}` })));
    const path = '/api/v1/notifications/batch';
    const batch = (server) => ({ server, count: smoke ? 60 : 200, method: 'POST', path, body });
    const figures = await measure('batch', { raw: batch(raw), ara: batch(ara) });
    const per = { raw: median(figures.raw) / USERS, ara: median(figures.ara) / USERS };
    const what = `POST batch of ${USERS} to ${USERS} users, against raw node:http`;
    const value = advantage(stage, figures.raw, figures.ara);
    results.push(
      { id: 'T8', what, value, atLeast: 0.9, per, unit: 'µs CPU per item' },
      { id: 'T8', what: 'the same, µs CPU per item', value: per.ara, atMost: 9, isAbsolute: true },
    );
  }
  if (results.length > 0) results[0].loadBusy = (load.cpuMicros - loadBefore) / 1000 / (performance.now() - startedAt);
  await stage.end();
  return results;
}
