import { addressedChannel, DEFAULT_TENANT, parseChannelName, parseTenantId } from '../notification/ids';
import { EVERY_TENANT } from '../notification/target';
import { Topics } from './topics';

const topics = new Topics('r');
const acme = parseTenantId('acme')!;
const orders = parseChannelName('orders')!;

it('a group target is published where those listen whom it means', () => {
  const channel = { kind: 'channel', channel: orders } as const;
  expect(topics.ofGroup(acme, { kind: 'broadcast' })).toEqual([topics.of({ kind: 'tenant', tenant: acme })]);
  expect(topics.ofGroup(acme, channel)).toEqual([
    topics.of({ kind: 'channel', tenant: acme, channel: orders }),
    topics.of({ kind: 'all-channels', tenant: acme }),
  ]);
  expect(topics.ofGroup(EVERY_TENANT, channel)).toEqual([topics.all]);
});

it('a name that nobody can subscribe to concerns only those who hear all channels', () => {
  for (const name of ['', 'a:b', 'x'.repeat(65), '\ud800']) {
    expect(topics.ofGroup(DEFAULT_TENANT, { kind: 'channels', channels: [addressedChannel(name)] })).toEqual([
      topics.of({ kind: 'all-channels', tenant: DEFAULT_TENANT }),
    ]);
  }
});

it('no two interests share a topic', () => {
  const names = ['a', 'a.b', 'ä', 'A', 'all', 'node', 'default'];
  const all = names.flatMap((name) => {
    const tenant = parseTenantId(name)!;
    return [
      topics.of({ kind: 'tenant', tenant }),
      topics.of({ kind: 'all-channels', tenant }),
      ...names.map((channel) => topics.of({ kind: 'channel', tenant, channel: parseChannelName(channel)! })),
    ];
  });
  expect(new Set([...all, topics.all, topics.instance('a')]).size).toBe(all.length + 2);
});
