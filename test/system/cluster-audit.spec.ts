import { audit } from '../fault/audit/audit';
import { parseOptions } from '../fault/audit/options';
import { SOUND } from '../fault/audit/sound';

// Small audits of clusters of three: what happens to a node, to Redis, or to the network between them. How much comes
// again says something in a long run only (docs/reliability.md).

jest.setTimeout(180_000);

it.each([
  '--fault kill9 --nodes 3 --store redis --n 600 --times 3',
  '--fault kill9 --nodes 3 --store postgres --n 600 --times 2 --ack off',
  '--fault redis-restart --nodes 3 --n 600 --times 1',
  '--fault redis-restart --nodes 3 --store postgres --n 600 --times 1',
  '--fault redis-stop --nodes 3 --n 900 --rate 100 --hang 4',
  '--fault failover --n 1200 --rate 100',
  '--fault partition --n 1200 --rate 100 --hang 9',
  '--fault triggers --n 600 --times 1',
])('%s: nothing accepted is lost', async (line) => {
  const verdict = await audit(parseOptions(line.split(' '))!);
  expect(verdict).toMatchObject({ ...SOUND, nodes: 3 });
  // It happened, and there was something to lose.
  expect(verdict.times).toBeGreaterThan(0);
  expect(verdict.accepted.durable).toBeGreaterThan(verdict.n / 20);
});

it('a rolling restart: every client is told and comes back in its own time, every node ends with 0', async () => {
  const verdict = await audit(parseOptions('--fault rolling --n 1000 --rate 100 --users 60'.split(' '))!);
  expect(verdict).toMatchObject({ ...SOUND, nodes: 3, cut: 0, refused: 0 });
  // Everybody but the few who were away.
  expect(verdict.told).toBeGreaterThan(verdict.connections / 2);
  expect(verdict.slowest_exit_ms).toBeLessThan(25_000);
});

it('each trigger that three nodes hear is one notification, also when it is published twice under one name', async () => {
  const verdict = await audit(parseOptions('--fault triggers --n 600 --rate 600'.split(' '))!);
  expect(verdict).toMatchObject({ ...SOUND, nodes: 3, posted: 600, refused: 0, lost_not_durable: 0 });
  expect(verdict.repeated).toBeGreaterThan(0);
});
