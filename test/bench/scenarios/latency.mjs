/** T9: sends beside large broadcasts. T10: sends alone, at a fixed rate. Absolute times: they need a quiet machine. */
import { post } from '../stage.mjs';
import { broadcastBody } from '../workload.cjs';

const BROADCAST_EVERY_MS = 500;

export async function sendsBesideBroadcasts(stage) {
  const clients = 10_000;
  const ara = await stage.ara();
  await stage.listeners(ara, clients);
  const paced = await stage.load('paced.mjs');
  const broadcasts = setInterval(() => {
    post(ara.port, '/api/v1/notifications/broadcast', broadcastBody()).catch(() => undefined);
  }, BROADCAST_EVERY_MS);
  const result = await paced.ask({
    port: ara.port,
    perSecond: 300,
    seconds: 10,
    first: clients,
  });
  clearInterval(broadcasts);
  await stage.end();
  stage.progress(`sends beside broadcasts: ${JSON.stringify(result)}`);
  const what = `300 sends/s beside a broadcast to ${clients} every ${BROADCAST_EVERY_MS} ms: p95 in ms`;
  return [complete({ id: 'T9', what, value: result.p95, atMost: 10, isAbsolute: true }, result)];
}

export async function steadySends(stage) {
  const ara = await stage.ara();
  const paced = await stage.load('paced.mjs');
  await paced.ask({ port: ara.port, perSecond: 1000, seconds: 1, first: 0 });
  const result = await paced.ask({
    port: ara.port,
    perSecond: 1000,
    seconds: 10,
    first: 100,
  });
  await stage.end();
  stage.progress(`steady sends: ${JSON.stringify(result)}`);
  const what = '1,000 sends/s, from due to arrived: p99 in ms';
  return [complete({ id: 'T10', what, value: result.p99, atMost: 5, isAbsolute: true }, result)];
}

function complete(row, { sent, arrived, p50, p95, p99, max }) {
  if (arrived !== sent) throw new Error(`${row.what}: ${arrived} of ${sent} arrived`);
  return { ...row, per: { p50, p95, p99, max }, unit: 'ms' };
}
