import { channel, Engine, type Made, user } from '../../test/support/engine';
import { type Interest, LocalClusterBus } from '../cluster/cluster-bus';
import type { ConnectionIdentity } from '../connection/connection';
import { DEFAULT_TENANT } from '../notification/ids';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { CLOSE } from '../protocol/close-reason';
import { NULL_SPAN } from '../telemetry/tracer';
import { ClientCommands } from './client-commands';

/** Remembers what this node wants to hear of; confirms when the test says so. */
class CountingBus extends LocalClusterBus {
  readonly retained: string[] = [];
  confirm: () => Promise<void> = () => Promise.resolve();

  override retain(interest?: Interest): Promise<void> {
    if (interest?.kind === 'channel') this.retained.push(interest.channel);
    return this.confirm();
  }

  override release(interest?: Interest): void {
    if (interest?.kind === 'channel') this.retained.splice(this.retained.indexOf(interest.channel), 1);
  }
}

let engine: Engine;
let bus: CountingBus;
let commands: ClientCommands;

function start(env: Record<string, string> = {}): void {
  bus = new CountingBus();
  engine = new Engine({ env: { WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION: '3', ...env }, bus });
  commands = engine.get(ClientCommands);
}

beforeEach(() => {
  start();
});

/** Hands a message in, waits for what it takes, and gives back what the client was answered since. */
async function say(connection: Made, message: unknown): Promise<unknown[]> {
  const before = connection.sink.texts.length;
  await commands.handle(connection, typeof message === 'string' ? message : JSON.stringify(message), NULL_SPAN);
  engine.flusher.flushAll();
  return connection.sink.texts.slice(before).map((text) => JSON.parse(text) as unknown);
}

const subscribe = (...channels: readonly string[]) => ({ type: 'Subscribe', payload: { channels } });
const unsubscribe = (...channels: readonly string[]) => ({ type: 'Unsubscribe', payload: { channels } });
const subscribed = (...payload: readonly string[]) => ({ type: 'subscribed', payload });
const refused = (message: string) => ({ type: 'error', code: 'SUBSCRIPTION_ERROR', message });
const subscriptions = (connection: Made): string[] => [...connection.subscriptions.keys()];

describe('Subscribe', () => {
  it('confirms the names as they were written, repeated ones repeated, and again when they are subscribed', async () => {
    const connection = engine.connect();
    expect(await say(connection, subscribe('a', 'b', 'a'))).toEqual([subscribed('a', 'b', 'a')]);
    expect(await say(connection, subscribe('b'))).toEqual([subscribed('b')]);
    expect(subscriptions(connection)).toEqual(['a', 'b']);
    expect(bus.retained).toEqual(['a', 'b']);
  });

  it('takes each name on its own: first what was accepted, then one error with all reasons', async () => {
    const connection = engine.connect({ mayHear: (name) => name !== 'secret' });
    expect(await say(connection, subscribe('a', 'with blank', 'b', 'secret', 'default:c', ''))).toEqual([
      subscribed('a', 'b'),
      refused(
        'Invalid channel name: with blank; Channel not allowed: secret; Invalid channel name: default:c; Invalid channel name: ',
      ),
    ]);
    expect(subscriptions(connection)).toEqual(['a', 'b']);
  });

  it('refuses beyond the limit, but not what is subscribed already', async () => {
    const connection = engine.connect();
    expect(await say(connection, subscribe('a', 'b', 'c', 'd', 'a'))).toEqual([
      subscribed('a', 'b', 'c', 'a'),
      refused('Subscription limit exceeded (3/3)'),
    ]);
  });

  it('answers with nothing but the error when all are refused, and with nothing to an empty list', async () => {
    const connection = engine.connect();
    expect(await say(connection, subscribe('!'))).toEqual([refused('Invalid channel name: !')]);
    expect(await say(connection, subscribe())).toEqual([]);
  });

  it('takes the limit of the tenant, and none at 0', async () => {
    start({ TENANT_ENABLED: 'true', TENANT_DEFAULT_MAX_SUBSCRIPTIONS_PER_CONNECTION: '1' });
    expect(await say(engine.connect(), subscribe('a', 'b'))).toEqual([
      subscribed('a'),
      refused('Subscription limit exceeded (1/1)'),
    ]);
    start({ WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION: '0' });
    const many = Array.from({ length: 100 }, (_, n) => `c${n}`);
    expect(await say(engine.connect(), subscribe(...many))).toEqual([subscribed(...many)]);
  });

  it('is confirmed when the other nodes know, and not before', async () => {
    const connection = engine.connect();
    let confirm = (): void => undefined;
    bus.confirm = () => new Promise((resolve) => (confirm = resolve));
    const answer = say(connection, subscribe('a'));
    await engine.settle();
    expect(connection.sink.texts).toEqual([]);
    confirm();
    expect(await answer).toEqual([subscribed('a')]);
  });

  it('is taken back when they cannot be told', async () => {
    const connection = engine.connect();
    bus.confirm = () => Promise.reject(new StoreUnavailableError('redis', 'away'));
    expect(await say(connection, subscribe('a'))).toEqual([refused('Not possible at the moment, try again: a')]);
    expect(subscriptions(connection)).toEqual([]);
    expect(bus.retained).toEqual([]);
  });

  it('is taken back once when the client leaves before they are told', async () => {
    const connection = engine.connect();
    await say(connection, subscribe('b'));
    let refuse = (): void => undefined;
    bus.confirm = () =>
      new Promise((_resolve, reject) => {
        refuse = () => {
          reject(new StoreUnavailableError('redis', 'away'));
        };
      });
    const answer = say(connection, subscribe('a'));
    const channels = [...connection.subscriptions.keys()];
    connection.markClosed();
    engine.registry.unregister(connection);
    commands.forget(connection, channels);
    expect(bus.retained).toEqual([]);
    refuse();
    expect(await answer).toEqual([]);
    expect(bus.retained).toEqual([]);
  });

  it('does nothing for a client who has left: nobody would end the subscription', async () => {
    const stays = engine.connect();
    const gone = engine.connect();
    gone.markClosed();
    engine.registry.unregister(gone);
    expect(await say(gone, subscribe('a'))).toEqual([]);
    expect(engine.registry.tenant(stays.tenant)?.ofChannel(channel('a'))).toEqual([]);
    expect(bus.retained).toEqual([]);
  });
});

describe('Unsubscribe', () => {
  it('confirms every name, valid or not, subscribed or not, and ends what there was', async () => {
    const connection = engine.connect();
    await say(connection, subscribe('a', 'b'));
    expect(await say(connection, unsubscribe('a', 'never', 'in valid', 'a'))).toEqual([
      { type: 'unsubscribed', payload: ['a', 'never', 'in valid', 'a'] },
    ]);
    expect(subscriptions(connection)).toEqual(['b']);
    expect(bus.retained).toEqual(['b']);
    expect(await say(connection, unsubscribe())).toEqual([]);
  });
});

describe('Ack', () => {
  const ack = (id: string) => ({ type: 'Ack', payload: { notification_id: id } });
  const alice: Partial<ConnectionIdentity> = { user: user('alice') };

  async function sent(): Promise<string> {
    return (await engine.dispatcher.dispatch(engine.delivery({ kind: 'user', user: user('alice') }))).id;
  }

  it('confirms the first one of a user, whichever device it comes from', async () => {
    start({ ACK_ENABLED: 'true' });
    const [one, two] = [engine.connect(alice), engine.connect(alice)];
    const id = await sent();
    engine.flusher.flushAll();
    expect(await say(two, ack(id.toUpperCase()))).toEqual([{ type: 'acked', notification_id: id }]);
    const invalid = { type: 'error', code: 'INVALID_ACK', message: `Unknown or invalid notification: ${id}` };
    expect(await say(one, ack(id))).toEqual([invalid]);
    expect(await say(two, ack(id))).toEqual([invalid]);
  });

  it('refuses a foreign one without an effect', async () => {
    start({ ACK_ENABLED: 'true' });
    const [own, foreign] = [engine.connect(alice), engine.connect({ user: user('bob') })];
    const id = await sent();
    engine.flusher.flushAll();
    expect(await say(foreign, ack(id))).toMatchObject([{ code: 'INVALID_ACK' }]);
    expect(await say(own, ack(id))).toMatchObject([{ type: 'acked' }]);
  });

  it('is ignored while acknowledgements are off', async () => {
    const connection = engine.connect(alice);
    const id = await sent();
    engine.flusher.flushAll();
    expect(await say(connection, ack(id))).toEqual([]);
  });
});

it('answers a Ping within the turn', () => {
  const connection = engine.connect();
  expect(commands.handle(connection, '{"type":"Ping"}', NULL_SPAN)).toBeUndefined();
  expect(commands.handle(connection, '{"type":"Ping","payload":{}}', NULL_SPAN)).toBeUndefined();
  engine.flusher.flushAll();
  expect(connection.sink.texts).toEqual(['{"type":"pong"}', '{"type":"pong"}']);
});

it('says what is wrong with a message, and goes on', async () => {
  const connection = engine.connect();
  expect(await say(connection, 'no JSON')).toMatchObject([{ type: 'error', code: 'INVALID_MESSAGE' }]);
  expect(await say(connection, { type: 'subscribe' })).toMatchObject([{ code: 'INVALID_MESSAGE' }]);
  expect(await say(connection, '['.repeat(1000))).toMatchObject([{ code: 'INVALID_MESSAGE' }]);
  expect(await say(connection, { type: 'Ping' })).toEqual([{ type: 'pong' }]);
  connection.close(CLOSE.shutdown);
  expect(await say(connection, { type: 'Ping' })).toEqual([]);
});

it('counts what clients say, by type', async () => {
  const connection = engine.connect();
  await say(connection, subscribe('a'));
  await say(connection, unsubscribe('a'));
  await say(connection, { type: 'Ping' });
  await say(connection, { type: 'Ping' });
  await say(connection, { type: 'Ack', payload: { notification_id: '00000000-0000-7000-8000-000000000001' } });
  await say(connection, 'nonsense');
  const text = await engine.metrics.render();
  for (const [type, count] of [
    ['subscribe', 1],
    ['unsubscribe', 1],
    ['ping', 2],
    ['ack', 1],
  ] as const)
    expect(text).toContain(`\nara_ws_messages_received_total{type="${type}"} ${count}\n`);
  expect(connection.tenant).toBe(DEFAULT_TENANT);
});
