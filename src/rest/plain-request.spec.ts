import fc from 'fast-check';
import { parseJsonBody } from '../http/json-body';
import { BATCH_ITEM, BatchEnvelope } from './dto/batch.dto';
import { chosen } from './dto/content.dto';
import { SEND_TO_USER } from './dto/send.dto';
import { validate } from './dto/validate';
import { plainBatch, plainBroadcast, plainSendToChannel, plainSendToUser } from './plain-request';

const bytes = (value: unknown, space?: number): Buffer => Buffer.from(JSON.stringify(value, null, space));

const CONTENT = { event_type: 'order.shipped', payload: { id: 1, note: 'ü 😀' } };
const asked = { eventType: 'order.shipped', payload: '{"id":1,"note":"ü 😀"}', priority: 'Normal' };

describe('a plainly written request', () => {
  it('is read without a schema, whatever its spacing and order', () => {
    for (const space of [0, 2]) {
      expect(plainSendToUser(bytes({ ...CONTENT, target_user_id: 'ann' }, space))).toEqual({
        target: { kind: 'user', user: 'ann' },
        content: asked,
      });
    }
    const all = { correlation_id: 'c', ttl: 60, priority: 'High', ...CONTENT };
    expect(plainBroadcast(bytes(all))).toEqual({
      target: { kind: 'broadcast' },
      content: { ...asked, priority: 'High', ttlSeconds: 60 },
      correlationId: 'c',
    });
    expect(plainSendToChannel(bytes({ channel: 'orders', ...CONTENT }))).toMatchObject({
      target: { kind: 'channel', channel: 'orders' },
    });
  });

  it('keeps the payload as it was written', () => {
    const payload = '{"n":12345678901234567890,"f":1.0,"e":1E+5,"s":"\\u00e9 \\" ","a":1,"a":[-0,true,false,null]}';
    const text = `{"payload":${payload},"event_type":"e","target_user_id":"ann"}`;
    expect(plainSendToUser(Buffer.from(text))).toMatchObject({ content: { payload } });
  });

  it('may be a batch for users, channels and all, with options', () => {
    const targets = [{ type: 'user', value: 'ann' }, { value: 'orders', type: 'channel' }, { type: 'broadcast' }];
    const notifications = targets.map((target) => ({ target, ...CONTENT }));
    const options = { stop_on_error: true, deduplicate: false };
    expect(plainBatch(bytes({ notifications, options, atomic: true }, 1))).toEqual({
      items: [
        { target: { kind: 'user', user: 'ann' }, content: asked },
        { target: { kind: 'channel', channel: 'orders' }, content: asked },
        { target: { kind: 'broadcast' }, content: asked },
      ],
      options: { stopOnError: true, deduplicate: false, atomic: true },
    });
    const none = { stopOnError: false, deduplicate: false, atomic: false };
    expect(plainBatch(bytes({ notifications }))?.options).toEqual(none);
  });
});

describe('everything else is left to the schemas', () => {
  const SEND = '"event_type":"e","payload":1,"target_user_id":"ann"';

  it.each([
    `{${SEND},"priority":null}`,
    `{${SEND},"priority":"high"}`,
    `{${SEND},"ttl":1.0}`,
    `{${SEND},"ttl":4294967296}`,
    `{${SEND},"ttl":-1}`,
    `{${SEND},"correlation_id":null}`,
    `{${SEND},"template_id":"t"}`,
    `{${SEND},"more":1}`,
    `{${SEND},"payload":2}`,
    `{${SEND}} {}`,
    `{${SEND},}`,
    `\uFEFF{${SEND}}`,
    '{"event_type":"e","payload":1}',
    '{"event_type":"e","target_user_id":"ann"}',
    '{"event_type":1,"payload":1,"target_user_id":"ann"}',
    '{"event_type":"\\u0065","payload":1,"target_user_id":"ann"}',
    `{"event_type":"e","payload":1,"target_user_id":"${'x'.repeat(256)}"}`,
    `{"event_type":"e","payload":${'['.repeat(64)}${']'.repeat(64)},"target_user_id":"ann"}`,
    '{"event_type":"e","payload":{"a":01},"target_user_id":"ann"}',
    '{"event_type":"e","payload":"\n","target_user_id":"ann"}',
    '{"event_type":"e","payload":"\\x","target_user_id":"ann"}',
    '{}',
    '[]',
    '',
  ])('%s', (text) => {
    expect(plainSendToUser(Buffer.from(text))).toBeUndefined();
  });

  it('invalid UTF-8, in a payload too', () => {
    const text = Buffer.from(`{"event_type":"e","payload":"?","target_user_id":"ann"}`);
    text[text.indexOf('?')] = 0xff;
    expect(plainSendToUser(text)).toBeUndefined();
  });

  it.each([
    { notifications: [] },
    { notifications: Array.from({ length: 101 }, () => ({ target: { type: 'broadcast' }, ...CONTENT })) },
    { notifications: [{ target: { type: 'users', value: ['a'] }, ...CONTENT }] },
    { notifications: [{ target: { type: 'user', id: 'a' }, ...CONTENT }] },
    { notifications: [{ target: { type: 'broadcast', value: null }, ...CONTENT }] },
    { notifications: [{ target: { type: 'broadcast' }, ...CONTENT }, 1] },
    { notifications: [{ target: { type: 'broadcast' }, ...CONTENT }], options: [] },
    { notifications: [{ target: { type: 'broadcast' }, ...CONTENT }], options: { atomic: 1 } },
    { notifications: [{ target: { type: 'broadcast' }, ...CONTENT }], atomic: null },
    { notifications: {} },
  ])('a batch that is less usual: %j', (batch) => {
    expect(plainBatch(bytes(batch))).toBeUndefined();
  });
});

/** Requests near the plain shape: right, slightly off, and with members that do not belong. */
const mostly = <T>(usual: fc.Arbitrary<T>, ...unusual: unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...unusual) });
const text = fc.string({ unit: 'grapheme' });
const members = fc.record(
  {
    target_user_id: mostly(text, 7, 'a\u0000'),
    event_type: mostly(text, null),
    payload: fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }),
    priority: mostly(fc.constantFrom('Low', 'Critical'), 'none', null),
    ttl: mostly(fc.nat(), 0.5, -1, 5e9, null),
    correlation_id: mostly(text, 1, null),
  },
  { requiredKeys: ['target_user_id', 'event_type', 'payload'] },
);

it('what is read plainly is what the schemas understand', () => {
  let plainly = 0;
  fc.assert(
    fc.property(members, fc.constantFrom(undefined, 2), (value, space) => {
      const json = bytes(value, space);
      const plain = plainSendToUser(json);
      if (plain === undefined) return;
      plainly++;
      const body = parseJsonBody(json);
      const dto = validate(chosen(SEND_TO_USER, body.value), body.value);
      expect(plain).toEqual({
        target: { kind: 'user', user: dto.target_user_id },
        content: {
          eventType: 'event_type' in dto ? dto.event_type : undefined,
          payload: body.raw('payload'),
          priority: dto.priority ?? 'Normal',
          ttlSeconds: dto.ttl ?? undefined,
        },
        correlationId: dto.correlation_id ?? undefined,
      });
      const item = { target: { type: 'user', value: dto.target_user_id }, ...value, target_user_id: undefined };
      const batch = plainBatch(bytes({ notifications: [item, item] }, space));
      expect(batch?.items).toEqual([plain, plain]);
      expect(validate(BatchEnvelope, { notifications: [item] }).notifications).toHaveLength(1);
      expect(validate(chosen(BATCH_ITEM, item), item).target).toEqual({ type: 'user', value: dto.target_user_id });
    }),
    { numRuns: 300 },
  );
  expect(plainly).toBeGreaterThan(50);
});
