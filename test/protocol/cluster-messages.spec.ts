import {
  addressedChannel,
  DEFAULT_TENANT,
  parseNotificationId,
  parseTenantId,
  parseUserId,
} from '../../src/notification/ids';
import { EVERY_TENANT, type Target, type TenantScope } from '../../src/notification/target';
import {
  type ClusterMessage,
  decodeClusterMessage,
  encodeClusterMessage,
  reachToWire,
} from '../../src/protocol/cluster-message';
import { Frame } from '../../src/protocol/frame';
import { MessageSeal } from '../../src/cluster/message-seal';
import { GoldenFolder } from './golden-folder';

const golden = new GoldenFolder('cluster');

const id = parseNotificationId('0192f0c1-7a3b-7c4d-8e5f-0123456789ab')!;
const user = (name: string) => parseUserId(name)!;
const json = `{"type":"notification","id":"${id}","payload":{"big":12345678901234567890,"s":"ä\\n"}}`;
const envelope = { from: 'node-1~0a1b2c3d', exchange: 7 };

function delivery(target: Target, tenant: TenantScope = DEFAULT_TENANT, kept = false): ClusterMessage {
  const mayBeShed = target.kind !== 'user' && target.kind !== 'users';
  const frame = new Frame(json, { event: 'notification', id, priority: 'High', mayBeShed });
  const times = kept
    ? { expiresAt: 1_766_800_000_000, keptUntil: 1_766_800_000_000 }
    : { expiresAt: undefined, keptUntil: undefined };
  return { ...envelope, kind: 'deliver', topics: 1, delivery: { id, tenant, target, frame, ...times } };
}

const messages: Record<string, ClusterMessage> = {
  'deliver-user': delivery({ kind: 'user', user: user('u:1 "ä"') }, DEFAULT_TENANT, true),
  'deliver-users': delivery({ kind: 'users', users: [user('u1'), user('')] }, parseTenantId('acme'), true),
  'deliver-broadcast': delivery({ kind: 'broadcast', audience: { type: 'Roles', value: ['admin'] } }),
  'deliver-broadcast-to-every-tenant': delivery({ kind: 'broadcast' }, EVERY_TENANT),
  'deliver-channel': delivery({ kind: 'channel', channel: addressedChannel('orders') }),
  'deliver-channels': delivery({ kind: 'channels', channels: [addressedChannel('a'), addressedChannel('b')] }),
  'ask-channels': { ...envelope, kind: 'ask', what: 'channels', question: { tenant: 'acme' } },
  'reply-reach': {
    ...envelope,
    kind: 'reply',
    copies: 2,
    answer: reachToWire({
      delivered: 3,
      failed: 1,
      users: new Map([[user('u1'), 3]]),
      channels: new Map([['orders', 2]]),
    }),
  },
  'reply-unknown-question': { ...envelope, kind: 'reply', copies: 1, answer: null },
};

describe('what nodes say to each other', () => {
  it.each(Object.entries(messages))('%s', (name, message) => {
    const text = encodeClusterMessage(message);
    golden.expect(`${name}.txt`, text);
    const decoded = decodeClusterMessage(text);
    expect(JSON.parse(JSON.stringify(decoded))).toEqual(JSON.parse(JSON.stringify(message)));
    if (decoded?.kind !== 'deliver' || message.kind !== 'deliver') return;
    expect(decoded.delivery.tenant).toBe(message.delivery.tenant);
    expect(decoded.delivery.frame.json).toBe(json);
    expect(decoded.delivery.frame.webSocket).toEqual(message.delivery.frame.webSocket);
    expect(decoded.delivery.frame).toMatchObject({
      rank: 1,
      mayBeShed: message.delivery.frame.mayBeShed,
      event: 'notification',
    });
  });

  it('a delivery carries its trace while traces are exported', () => {
    const message = messages['deliver-user']!;
    if (message.kind !== 'deliver') throw new Error('not a delivery');
    const trace = { parent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, eventType: 'ordér "1"\n' };
    const decoded = decodeClusterMessage(
      encodeClusterMessage({ ...message, delivery: { ...message.delivery, trace } }),
    );
    expect(decoded).toMatchObject({ kind: 'deliver', delivery: { trace } });
  });

  it('and nothing else', () => {
    golden.expectNoOthers();
  });

  it('a newer release may add fields, which an older one ignores', () => {
    const text = encodeClusterMessage(messages['deliver-user']!);
    const newer = text.replace('{"v":1,', '{"v":1,"colour":"red","retries":{"left":3},');
    expect(JSON.stringify(decodeClusterMessage(newer))).toBe(JSON.stringify(decodeClusterMessage(text)));
  });

  it.each([
    ['a kind of a newer release', '{"v":1,"kind":"presence","from":"n~1","exchange":1}'],
    ['another version', '{"v":2,"kind":"ask","from":"n~1","exchange":1,"what":"channels"}'],
    ['no version', '{"kind":"ask","from":"n~1","exchange":1}'],
    ['no object', '"deliver"'],
    ['null', 'null'],
    ['no JSON', 'deliver'],
    ['nothing', ''],
  ])('ignores %s', (_, text) => {
    expect(decodeClusterMessage(text)).toBeUndefined();
  });
});

describe('the seal', () => {
  const seal = new MessageSeal('a secret of the cluster');
  const sealed = seal.seal('message');

  it('is HMAC-SHA-256 in base64url in front of the text', () => {
    // printf message | openssl dgst -sha256 -hmac 'a secret of the cluster' -binary | base64
    expect(sealed).toBe('VzcddWa0hUvGXK3ngffspYmkvK-LGnwmP8JsT09xwN0message');
  });

  it('opens for who has the secret', () => {
    expect(seal.open(sealed)).toBe('message');
    expect(new MessageSeal('another secret').open(sealed)).toBeUndefined();
  });

  it.each(['', 'message', 'ä'.repeat(43) + 'message', sealed.slice(1), `${sealed} `, `${sealed.slice(0, 42)}!message`])(
    'does not open %j',
    (text) => {
      expect(seal.open(text)).toBeUndefined();
    },
  );
});
