import { channel, connectionOf, tenant, user } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { DEFAULT_TENANT, PROBE_TENANT } from '../notification/ids';
import { LoneWorker, type Subject, Workers } from '../workers/workers';
import { Census } from './census';
import { ConnectionRegistry } from './connection-registry';

const T = tenant('t');

/** Two processes whose answers pass through what a pipe does to them. */
class PairedWorkers extends LoneWorker {
  override readonly count = 2;
  other: PairedWorkers | undefined;

  static pair(): [PairedWorkers, PairedWorkers] {
    const [one, other] = [new PairedWorkers(), new PairedWorkers()];
    [one.other, other.other] = [other, one];
    return [one, other];
  }

  override async gather<Q, A>(subject: Subject<Q, A>, question: Q): Promise<readonly A[]> {
    const own = await super.gather(subject, question);
    const others = await this.other!.own(subject, question);
    return structuredClone([...own, ...others]);
  }

  own<Q, A>(subject: Subject<Q, A>, question: Q): Promise<readonly A[]> {
    return super.gather(subject, question);
  }
}

function processOf(workers: Workers): { registry: ConnectionRegistry; census: Census } {
  const registry = new ConnectionRegistry();
  const census = new Census(registry, workers);
  census.onModuleInit();
  return { registry, census };
}

function open(registry: ConnectionRegistry, traits: Parameters<typeof connectionOf>[0], ...channels: string[]): void {
  const connection = connectionOf(traits);
  registry.register(connection);
  for (const name of channels) registry.subscribe(connection, channel(name), 0);
}

it('counts what is here, by transport, of one tenant or of all, without the self-probe', async () => {
  const { registry, census } = processOf(new LoneWorker());
  open(registry, {}, 'news');
  open(registry, { sink: new FakeSink('sse') });
  open(registry, { user: user('bob') }, 'news', 'x');
  open(registry, { tenant: T }, 'news');
  open(registry, { tenant: PROBE_TENANT, isProbe: true });
  const all = {
    connections: 4,
    webSocket: 3,
    sse: 1,
    users: 3,
    usersWithMultipleConnections: 1,
    channels: 3,
    subscriptions: 4,
  };
  expect(census.here()).toEqual(all);
  expect(await census.whole()).toEqual(all);
  expect(await census.whole(T)).toMatchObject({ connections: 1, users: 1, usersWithMultipleConnections: 0 });
  expect(census.here(tenant('none'))).toMatchObject({ connections: 0, users: 0 });
  expect(await census.subscribers()).toEqual(new Map([['news', 3], ['x', 1]])); // oxfmt-ignore
  expect(await census.subscribers(DEFAULT_TENANT)).toEqual(new Map([['news', 2], ['x', 1]])); // oxfmt-ignore
});

it('tells users and channels apart over all workers', async () => {
  const [one, other] = PairedWorkers.pair();
  const [here, there] = [processOf(one), processOf(other)];
  open(here.registry, { user: user('a') }, 'news');
  open(there.registry, { user: user('a') }, 'news', 'y');
  open(here.registry, { user: user('b') });
  open(here.registry, { user: user('b') });
  open(there.registry, { user: user('c'), sink: new FakeSink('sse') });
  open(there.registry, { tenant: T, user: user('a') }, 'news');
  for (const { census } of [here, there]) {
    expect(await census.whole()).toEqual({
      connections: 6,
      webSocket: 5,
      sse: 1,
      users: 4,
      usersWithMultipleConnections: 2,
      channels: 3,
      subscriptions: 4,
    });
    expect(await census.whole(T)).toMatchObject({ connections: 1, users: 1, channels: 1 });
    expect(await census.subscribers()).toEqual(new Map([['news', 3], ['y', 1]])); // oxfmt-ignore
  }
});
