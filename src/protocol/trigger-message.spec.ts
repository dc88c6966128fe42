import fc from 'fast-check';
import { MAX_TRIGGER_BYTES, parseTrigger, type Trigger } from './trigger-message';

const ID = '0192f0c1-7a3b-7c4d-8e5f-0123456789ab';
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** A message to everybody, with some of its fields replaced; `undefined` removes one. */
function message(fields: object = {}, event: object = {}): string {
  return JSON.stringify({ type: 'broadcast', event: { event_type: 'e', payload: {}, ...event }, ...fields });
}

function accepted(text: string): Trigger {
  const result = parseTrigger(text);
  if (result.kind === 'invalid') throw new Error(`refused: ${result.reason}`);
  return result.trigger;
}

function reasonOf(text: string): string {
  const result = parseTrigger(text);
  if (result.kind === 'ok') throw new Error('not refused');
  return result.reason;
}

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

describe('parseTrigger', () => {
  it('needs no more than type, target, event type and payload', () => {
    expect(accepted('{"type":"user","target":"u1","event":{"event_type":"order.created","payload":{"n":1}}}')).toEqual({
      target: { kind: 'user', user: 'u1' },
      eventType: 'order.created',
      payload: '{"n":1}',
      priority: 'Normal',
    });
  });

  it('reads every field, and ignores those that it does not know', () => {
    const text = message(
      { tenant_id: 'acme', id: ID.toUpperCase(), idempotency_key: 'k', traceparent: TRACEPARENT, audience: {}, x: 1 },
      { priority: 'Critical', ttl: 4_294_967_295, correlation_id: 'c', source: 'ignored' },
    );
    expect(accepted(text)).toEqual({
      target: { kind: 'broadcast' },
      eventType: 'e',
      payload: '{}',
      priority: 'Critical',
      ttlSeconds: 4_294_967_295,
      correlationId: 'c',
      tenantId: 'acme',
      id: ID,
      idempotencyKey: 'k',
      traceparent: TRACEPARENT,
    });
  });

  it('takes null for every optional field', () => {
    const text = message(
      { target: null, tenant_id: null, id: null, idempotency_key: null, traceparent: null },
      { priority: null, ttl: null, correlation_id: null },
    );
    expect(accepted(text)).toEqual({
      target: { kind: 'broadcast' },
      eventType: 'e',
      payload: '{}',
      priority: 'Normal',
    });
  });

  describe('target', () => {
    it.each([
      ['user', 'u', { kind: 'user', user: 'u' }],
      ['user', '', { kind: 'user', user: '' }],
      ['users', ['u', 'v', 'u'], { kind: 'users', users: ['u', 'v'] }],
      ['users', 'u', { kind: 'users', users: ['u'] }],
      ['users', [], { kind: 'users', users: [] }],
      ['broadcast', undefined, { kind: 'broadcast' }],
      ['broadcast', { any: 'thing' }, { kind: 'broadcast' }],
      ['channel', 'a:b c', { kind: 'channel', channel: 'a:b c' }],
      ['channels', ['a', 'a', 'b'], { kind: 'channels', channels: ['a', 'b'] }],
      ['channels', 'a', { kind: 'channels', channels: ['a'] }],
    ])('%s accepts %j', (type, target, expected) => {
      expect(accepted(message({ type, target })).target).toEqual(expected);
    });

    it.each([
      ['user', ['u']],
      ['user', null],
      ['user', undefined],
      ['user', 7],
      ['users', null],
      ['users', undefined],
      ['users', ['u', 7]],
      ['users', { 0: 'u' }],
      ['channel', ['a']],
      ['channel', null],
      ['channels', null],
      ['channels', [['a']]],
      ['User', 'u'],
      ['', 'u'],
      [undefined, 'u'],
      [['user'], 'u'],
    ])('%j refuses %j', (type, target) => {
      expect(reasonOf(message({ type, target }))).toMatch(/target|type/);
    });

    it.each(['u\0', '\ud800', 'u'.repeat(256), 'ü'.repeat(128)])('a user id must be storable (%#)', (user) => {
      expect(reasonOf(message({ type: 'user', target: user }))).toContain('user id');
      expect(reasonOf(message({ type: 'users', target: ['fine', user] }))).toContain('user id');
    });
  });

  it.each([
    ['not JSON', 'nonsense'],
    ['cut off', message().slice(0, -1)],
    ['not an object', '[]'],
    ['null', 'null'],
    ['no event', '{"type":"broadcast"}'],
    ['event of another kind', message({ event: 'e' })],
    ['no event type', message({}, { event_type: undefined })],
    ['event type of another kind', message({}, { event_type: null })],
    ['no payload', message({}, { payload: undefined })],
    ['unknown priority', message({}, { priority: 'high' })],
    ['negative ttl', message({}, { ttl: -1 })],
    ['fractional ttl', message({}, { ttl: 1.5 })],
    ['ttl past 32 bits', message({}, { ttl: 4_294_967_296 })],
    ['ttl as text', message({}, { ttl: '60' })],
    ['numeric correlation id', message({}, { correlation_id: 1 })],
    ['numeric tenant', message({ tenant_id: 1 })],
    ['id that is no UUID', message({ id: 'order-1' })],
    ['numeric id', message({ id: 1 })],
    ['numeric idempotency key', message({ idempotency_key: 1 })],
    ['repeated key', '{"type":"broadcast","type":"user","target":"u","event":{"event_type":"e","payload":1}}'],
    ['repeated payload', '{"type":"broadcast","event":{"event_type":"e","payload":1,"p\\u0061yload":2}}'],
  ])('refuses: %s', (_name, text) => {
    expect(reasonOf(text)).not.toBe('');
  });

  it('leaves out a malformed trace context and an empty idempotency key', () => {
    for (const traceparent of [
      'junk',
      7,
      '',
      TRACEPARENT.toUpperCase(),
      `ff${TRACEPARENT.slice(2)}`,
      '00-' + '0'.repeat(32),
    ]) {
      expect(accepted(message({ traceparent }))).not.toHaveProperty('traceparent');
    }
    expect(accepted(message({ idempotency_key: '' }))).not.toHaveProperty('idempotencyKey');
  });

  describe('the payload', () => {
    const payloadOf = (json: string): string =>
      accepted(`{"type":"broadcast","event":{"payload":${json},"event_type":"e"}}`).payload;

    it.each(['null', '0', '""', '[]', 'false', '{"a":{"payload":1}}'])('may be %s', (json) => {
      expect(payloadOf(json)).toBe(json);
    });

    it('is the text that came, less whitespace', () => {
      expect(
        payloadOf(
          ' {\n\t"big" : 9007199254740993,\r\n "one": 1.0, "e": 1E2, "s": "a \\u00e9 \\n b", "k": 1, "k": 2 } ',
        ),
      ).toBe('{"big":9007199254740993,"one":1.0,"e":1E2,"s":"a \\u00e9 \\n b","k":1,"k":2}');
    });

    it('is the payload of the event, not one that stands elsewhere', () => {
      const text =
        '{"payload":"top","x":{"event":{"payload":"deep"}},"event":{"event_type":"e","y":[{"payload":0}],"payload":"right"},"type":"broadcast"}';
      expect(accepted(text).payload).toBe('"right"');
    });

    it('is found by a key that is written with escapes', () => {
      expect(accepted('{"type":"broadcast","\\u0065vent":{"event_type":"e","p\\u0061yload":[1]}}').payload).toBe('[1]');
    });
  });

  it('refuses more than 64 KiB of UTF-8, and nothing less', () => {
    const size = (text: string): number => Buffer.byteLength(text);
    const frame = size(message({}, { payload: '' }));
    const largest = message({}, { payload: 'ü'.repeat(Math.floor((MAX_TRIGGER_BYTES - frame) / 2)) });
    expect(MAX_TRIGGER_BYTES - size(largest)).toBeLessThan(2);
    expect(accepted(largest).eventType).toBe('e');
    expect(reasonOf(`${largest}  `)).toContain('65536 bytes');
  });

  it('refuses more than 64 levels before it parses', () => {
    expect(accepted(message({}, { payload: nested(62) })).eventType).toBe('e');
    expect(reasonOf(message({}, { payload: nested(63) }))).toContain('64 levels');
    expect(reasonOf('['.repeat(MAX_TRIGGER_BYTES))).toContain('64 levels');
  });

  it('names no part of the message in its reason', () => {
    expect(reasonOf('{"secret-word"')).not.toContain('secret-word');
    expect(reasonOf(message({ type: 'secret-word' }))).not.toContain('secret-word');
  });

  it('survives any text, and carries any payload as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.json({ stringUnit: 'binary' }), (junk, json) => {
        expect(typeof parseTrigger(junk).kind).toBe('string');
        const compacted = JSON.stringify(JSON.parse(json));
        fc.pre(Buffer.byteLength(compacted) < 60_000);
        expect(accepted(`{"type":"broadcast","event":{"event_type":"e","payload": ${compacted} }}`).payload).toBe(
          compacted,
        );
      }),
    );
  });
});
