import fc from 'fast-check';
import { channel, connectionOf, type Made, tenant, user } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { PROBE_TENANT } from '../notification/ids';
import { EVERY_TENANT } from '../notification/target';
import { type ConnectionLimits, ConnectionRegistry } from './connection-registry';

const UNLIMITED: ConnectionLimits = { maxConnections: 0, maxConnectionsPerUser: 0, maxTenantConnections: undefined };

let registry: ConnectionRegistry;

beforeEach(() => {
  registry = new ConnectionRegistry();
});

function register(traits: Parameters<typeof connectionOf>[0] = {}): Made {
  const connection = connectionOf(traits);
  registry.register(connection);
  return connection;
}

describe('limits', () => {
  it('do not exist at 0', () => {
    for (let i = 0; i < 20; i++) register();
    expect(registry.admits(connectionOf(), UNLIMITED)).toEqual({ kind: 'admitted' });
    expect(registry.admits(connectionOf(), { ...UNLIMITED, maxTenantConnections: 0 })).toEqual({ kind: 'admitted' });
  });

  it('refuse by the total first, then by the tenant, then by the user, and say how full it is', () => {
    register();
    register();
    const limits = { maxConnections: 2, maxTenantConnections: 2, maxConnectionsPerUser: 2 };
    const full = { kind: 'refused', current: 2, max: 2 };
    const connection = connectionOf();
    expect(registry.admits(connection, limits)).toEqual({ ...full, scope: 'total' });
    expect(registry.admits(connection, { ...limits, maxConnections: 3 })).toEqual({ ...full, scope: 'tenant' });
    expect(registry.admits(connection, { ...limits, maxConnections: 0, maxTenantConnections: undefined })).toEqual({
      ...full,
      scope: 'user',
    });
    expect(registry.size).toBe(2);
  });

  it('count connections elsewhere against the tenant and the user, not against this node', () => {
    register();
    const limits = { maxConnections: 2, maxTenantConnections: 6, maxConnectionsPerUser: 4 };
    const admits = (tenantElsewhere: number, userElsewhere: number): unknown =>
      registry.admits(connectionOf(), limits, { tenant: tenantElsewhere, user: userElsewhere });
    expect(admits(4, 2)).toEqual({ kind: 'admitted' });
    expect(admits(5, 0)).toEqual({ kind: 'refused', scope: 'tenant', current: 6, max: 6 });
    expect(admits(0, 3)).toEqual({ kind: 'refused', scope: 'user', current: 4, max: 4 });
  });

  it('count a user id per tenant', () => {
    register({ tenant: tenant('a') });
    const limits = { ...UNLIMITED, maxConnectionsPerUser: 1 };
    expect(registry.admits(connectionOf({ tenant: tenant('b') }), limits)).toEqual({ kind: 'admitted' });
    expect(registry.admits(connectionOf({ tenant: tenant('a') }), limits)).toMatchObject({ scope: 'user' });
  });

  it('neither hold for the self-probe nor count it', () => {
    const probe = { tenant: PROBE_TENANT, isProbe: true };
    register(probe);
    register();
    const limits = { maxConnections: 2, maxTenantConnections: 1, maxConnectionsPerUser: 1 };
    expect(registry.size).toBe(1);
    expect(registry.admits(connectionOf(probe), limits)).toEqual({ kind: 'admitted' });
    expect(registry.admits(connectionOf({ user: user('bob'), tenant: tenant('t') }), limits).kind).toBe('admitted');
    expect([...registry.inScope(EVERY_TENANT)].map((each) => each.tenant)).toEqual(['default']);
    expect([...registry.inScope(PROBE_TENANT)]).toHaveLength(1);
    expect([...registry.all]).toHaveLength(2);
  });
});

describe('subscriptions', () => {
  it('end at the limit, but what is subscribed may be subscribed again', () => {
    const connection = register();
    expect(registry.subscribe(connection, channel('a'), 1)).toBe('subscribed');
    expect(registry.subscribe(connection, channel('b'), 1)).toBe('full');
    expect(registry.subscribe(connection, channel('a'), 1)).toBe('already');
    expect(registry.unsubscribe(connection, channel('a'))).toBe(true);
    expect(registry.unsubscribe(connection, channel('a'))).toBe(false);
    expect(registry.subscribe(connection, channel('b'), 1)).toBe('subscribed');
  });

  it('die with their connection, and a channel with its last subscriber', () => {
    const [one, two] = [register(), register()];
    for (const each of [one, two]) registry.subscribe(each, channel('news'), 0);
    expect(registry.unregister(one)).toBe(true);
    expect(one.subscriptions.size).toBe(0);
    expect([...(registry.tenant(one.tenant)?.channels() ?? [])]).toEqual([['news', 1]]);
    expect(registry.unregister(two)).toBe(true);
    expect(registry.tenant(one.tenant)).toBeUndefined();
    expect(registry.tenants.size).toBe(0);
    expect(registry.unregister(two)).toBe(false);
    expect(registry.unsubscribe(two, channel('news'))).toBe(false);
  });
});

/** A list of connections, searched from end to end for every question. */
class NaiveRegistry {
  readonly connections: { readonly connection: Made; readonly channels: Set<string> }[] = [];

  in(of: string): typeof this.connections {
    return this.connections.filter(({ connection }) => connection.tenant === of);
  }
}

it('answers like a list that is searched from end to end', () => {
  const tenants = [tenant('a'), tenant('b')];
  const users = [user('u'), user('v'), user('')];
  const channels = [channel('x'), channel('y'), channel('z')];
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        tenant: fc.nat(1),
        user: fc.nat(2),
        listens: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat(30) }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('subscribe' as const), which: fc.nat(30), to: fc.nat(2) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('unsubscribe' as const), which: fc.nat(30), to: fc.nat(2) }),
    },
  );
  const sorted = (names: Iterable<string>): string[] => [...names].sort();
  const idsOf = (connections: Iterable<Made | { identity: { id: string } }>): string[] =>
    sorted([...connections].map(({ identity }) => identity.id));

  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      registry = new ConnectionRegistry();
      const model = new NaiveRegistry();
      for (const each of steps) {
        if (each.kind === 'add') {
          const connection = register({
            tenant: tenants[each.tenant] as (typeof tenants)[0],
            user: users[each.user] as (typeof users)[0],
            hearsAllChannels: each.listens,
            sink: new FakeSink(each.listens ? 'sse' : 'websocket'),
          });
          model.connections.push({ connection, channels: new Set() });
          continue;
        }
        if (model.connections.length === 0) continue;
        const at = each.which % model.connections.length;
        const target = model.connections[at] as (typeof model.connections)[0];
        if (each.kind === 'remove') {
          expect(registry.unregister(target.connection)).toBe(true);
          model.connections.splice(at, 1);
        } else {
          const name = channels[each.to] as (typeof channels)[0];
          const had = target.channels.has(name);
          if (each.kind === 'subscribe') {
            expect(registry.subscribe(target.connection, name, 0)).toBe(had ? 'already' : 'subscribed');
            target.channels.add(name);
          } else {
            expect(registry.unsubscribe(target.connection, name)).toBe(had);
            target.channels.delete(name);
          }
        }
      }

      expect(registry.size).toBe(model.connections.length);
      expect(idsOf(registry.all)).toEqual(idsOf(model.connections.map(({ connection }) => connection)));
      for (const { connection, channels: subscribed } of model.connections) {
        expect(registry.byId(connection.identity.id)).toBe(connection);
        expect(sorted(connection.subscriptions.keys())).toEqual(sorted(subscribed));
        for (const name of channels) expect(connection.isSubscribedTo(name)).toBe(subscribed.has(name));
      }
      for (const of of tenants) {
        const home = registry.tenant(of);
        const inTenant = model.in(of);
        if (inTenant.length === 0) {
          expect(home).toBeUndefined();
          continue;
        }
        const found = home as NonNullable<typeof home>;
        expect(idsOf(found.connections)).toEqual(idsOf(inTenant.map(({ connection }) => connection)));
        expect(found.connectionCount).toBe(inTenant.length);
        expect(found.userCount).toBe(new Set(inTenant.map(({ connection }) => connection.user)).size);
        expect(found.subscriptionCount).toBe(inTenant.reduce((sum, each) => sum + each.channels.size, 0));
        const listeners = inTenant.filter(({ connection }) => connection.identity.hearsAllChannels);
        expect(idsOf(found.listeners)).toEqual(idsOf(listeners.map(({ connection }) => connection)));
        for (const name of users) {
          const own = inTenant.filter(({ connection }) => connection.user === name);
          expect(idsOf(found.ofUser(name))).toEqual(idsOf(own.map(({ connection }) => connection)));
          expect(found.users.has(name)).toBe(own.length > 0);
        }
        for (const name of channels) {
          const subscribers = inTenant.filter((each) => each.channels.has(name));
          expect(idsOf(found.ofChannel(name))).toEqual(idsOf(subscribers.map(({ connection }) => connection)));
        }
        const counts = channels
          .map((name) => [name, found.ofChannel(name).length] as const)
          .filter(([, count]) => count > 0);
        expect(new Map(found.channels())).toEqual(new Map(counts));
        expect(found.channelCount).toBe(counts.length);
        // The slots by which everything is removed in O(1) point at their owners.
        for (const connection of found.connections) {
          expect(found.connections[connection.slot]).toBe(connection);
          if (connection.identity.hearsAllChannels) expect(found.listeners[connection.listenerSlot]).toBe(connection);
          for (const [name, slot] of connection.subscriptions) expect(found.ofChannel(name)[slot]).toBe(connection);
        }
      }
    }),
  );
});
