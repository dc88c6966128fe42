import { channel, Engine, tenant, user } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { PairedBus } from '../../test/support/paired-bus';
import { LocalSessionDirectory } from '../cluster/session-directory';
import { DEFAULT_TENANT, PROBE_TENANT } from '../notification/ids';
import { EVERY_TENANT, type Target } from '../notification/target';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { PresenceService } from './presence.service';
import { Recipients } from './recipients';

const T = tenant('t');
const sse = (): { sink: FakeSink } => ({ sink: new FakeSink('sse') });

/** Two nodes: `here` is asked, `there` has connections, too. */
let here: Engine;
let there: Engine;
let presence: PresenceService;

beforeEach(() => {
  const [one, other] = PairedBus.pair();
  here = new Engine({ env: { CLUSTER_NODE_ID: 'node-here' }, bus: one });
  there = new Engine({ env: { CLUSTER_NODE_ID: 'node-there' }, bus: other });
  for (const node of [here, there]) {
    node.get(PresenceService).onModuleInit();
    node.get(Recipients).onModuleInit();
  }
  presence = here.get(PresenceService);
});

function open(node: Engine, ...[traits, means]: Parameters<Engine['connect']>): ReturnType<Engine['connect']> {
  const connection = node.connect(traits, means);
  if (connection.identity.isProbe !== true) node.statistics.countOpened(connection.tenant);
  return connection;
}

describe('channels', () => {
  it('have the subscribers of all nodes, by name, of one tenant', async () => {
    open(here, {}, { channels: ['news', 'b'] });
    open(there, {}, { channels: ['news', 'a'] });
    open(there, { tenant: T }, { channels: ['news', 'other'] });
    expect(await presence.channels(DEFAULT_TENANT)).toEqual([
      { name: 'a', subscribers: 1 },
      { name: 'b', subscribers: 1 },
      { name: 'news', subscribers: 2 },
    ]);
    expect(await presence.channel(DEFAULT_TENANT, channel('news'))).toEqual({ name: 'news', subscribers: 2 });
    expect(await presence.channel(T, channel('news'))).toEqual({ name: 'news', subscribers: 1 });
    expect(await presence.channel(T, channel('a'))).toBeUndefined();
    expect(await presence.channels(tenant('empty'))).toEqual([]);
  });
});

describe('users', () => {
  it('have the connections of all nodes, and the union of their subscriptions', async () => {
    open(here, {}, { channels: ['b', 'news'] });
    open(there, {}, { channels: ['news', 'a'] });
    expect(await presence.subscriptions(DEFAULT_TENANT, user('alice'))).toEqual({
      connections: 2,
      subscriptions: ['a', 'b', 'news'],
    });
    expect(await presence.subscriptions(T, user('alice'))).toBeUndefined();
  });

  it('are found with their sessions, in one tenant or in all', async () => {
    here.clock.advance(1999);
    const own = open(here, {}, { channels: ['b', 'a'] });
    const foreign = open(there, { tenant: T });
    const seconds = Math.floor(Date.UTC(2026, 0, 1) / 1000);
    const sessions = await presence.sessions(undefined, user('alice'));
    expect(sessions).toMatchObject([
      { connection: own.identity.id, connectedAt: seconds + 1, channels: ['a', 'b'] },
      { connection: foreign.identity.id, connectedAt: seconds, channels: [] },
    ]);
    expect(sessions.map(({ node }) => node)).toEqual([here.config.cluster.nodeId, there.config.cluster.nodeId]);
    expect(await presence.sessions(T, user('alice'))).toHaveLength(1);
    expect(await presence.sessions(undefined, user('bob'))).toEqual([]);
  });
});

describe('tenants', () => {
  it('are active with a connection on any node, and have the figures of all', async () => {
    open(here, {}, { channels: ['news'] });
    open(there, { user: user('bob') }, { channels: ['news', 'x'] });
    open(there, { tenant: T });
    open(here, { tenant: PROBE_TENANT, isProbe: true });
    await here.dispatcher.dispatch(here.delivery({ kind: 'broadcast' }));
    const figures = {
      activeConnections: 2,
      totalConnections: 2,
      messagesSent: 1,
      messagesDelivered: 2,
      messagesToday: 1,
    };
    const active = await presence.activeTenants();
    expect(active.map((each) => each.tenant)).toEqual(['default', 't']);
    expect(active[0]).toMatchObject(figures);
    expect(await presence.tenant(DEFAULT_TENANT)).toMatchObject({ tenant: 'default', ...figures, channels: 2 });
  });

  it('are remembered when their connections are gone, unknown when they never had one', async () => {
    here.registry.unregister(open(here, { tenant: T }));
    expect(await presence.activeTenants()).toEqual([]);
    expect(await presence.tenant(T)).toMatchObject({ activeConnections: 0, totalConnections: 1, uniqueUsers: 0 });
    expect(await presence.tenant(tenant('never'))).toBeUndefined();
  });
});

describe('nodes', () => {
  it('count what is connected to them, by transport, of one tenant or of all, without the self-probe', () => {
    open(here, {}, { channels: ['news'] });
    open(here, {}, sse());
    open(here, { user: user('bob') }, { channels: ['news', 'x'] });
    open(here, { tenant: T });
    open(here, { tenant: PROBE_TENANT, isProbe: true });
    open(there);
    expect(presence.local()).toEqual({
      connections: 4,
      webSocket: 3,
      sse: 1,
      users: 3,
      usersWithMultipleConnections: 1,
      channels: 2,
      subscriptions: 3,
    });
    expect(presence.local(T)).toMatchObject({ connections: 1, users: 1, usersWithMultipleConnections: 0, channels: 0 });
    expect(presence.local(tenant('none'))).toMatchObject({ connections: 0, users: 0 });
  });

  it('speak for the cluster', async () => {
    open(here);
    open(there);
    expect(await presence.cluster()).toEqual({
      enabled: false,
      node: here.config.cluster.nodeId,
      nodes: [here.config.cluster.nodeId],
      connections: 2,
      users: 1,
    });
    expect(await here.metrics.render()).toContain('\nara_cluster_connections_total 2\n');
  });

  it('speak for themselves while the directory cannot be asked', async () => {
    const directory = new LocalSessionDirectory();
    jest.spyOn(directory, 'countUsers').mockRejectedValue(new StoreUnavailableError('redis', 'away'));
    const node = new Engine({ directory });
    open(node);
    expect((await node.get(PresenceService).cluster()).users).toBe(1);
  });
});

describe('recipients', () => {
  const is = (target: Target, of: typeof T | typeof EVERY_TENANT = DEFAULT_TENANT): Promise<boolean> =>
    here.get(Recipients).someoneIsConnected(of, target);

  it('are found on other nodes, too', async () => {
    open(there, { roles: ['ops'] }, { channels: ['news'] });
    expect(await is({ kind: 'user', user: user('alice') })).toBe(true);
    expect(await is({ kind: 'users', users: ['bob', 'alice'].map(user) })).toBe(true);
    expect(await is({ kind: 'user', user: user('bob') })).toBe(false);
    expect(await is({ kind: 'broadcast', audience: { type: 'Roles', value: ['ops'] } })).toBe(true);
    expect(await is({ kind: 'broadcast', audience: { type: 'Roles', value: ['dev'] } })).toBe(false);
    expect(await is({ kind: 'channel', channel: channel('news') })).toBe(true);
    expect(await is({ kind: 'channel', channel: channel('none') })).toBe(false);
    expect(await is({ kind: 'broadcast' }, T)).toBe(false);
    expect(await is({ kind: 'broadcast' }, EVERY_TENANT)).toBe(true);
  });
});

it('reaches the connections of both nodes with one dispatch, once each', async () => {
  const [own, other] = [open(here, {}, { channels: ['news'] }), open(there, {}, { ...sse(), channels: ['news', 'x'] })];
  const channels = ['news', 'x'].map(channel);
  const report = await here.dispatcher.dispatch(here.delivery({ kind: 'channels', channels }));
  expect(report).toMatchObject({ deliveredTo: 2, failed: 0 });
  expect(report.perChannel).toEqual(new Map([['news', 2], ['x', 1]])); // oxfmt-ignore
  for (const { flusher } of [here, there]) flusher.flushAll();
  expect([own, other].map(({ sink }) => sink.ids)).toEqual([[report.id], [report.id]]);
});
