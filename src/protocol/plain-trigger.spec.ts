import fc from 'fast-check';
import { plainTrigger } from './plain-trigger';
import { MAX_TRIGGER_BYTES, parseTrigger, type Trigger } from './trigger-message';

function careful(text: string): Trigger | undefined {
  const result = parseTrigger(text);
  return result.kind === 'ok' ? result.trigger : undefined;
}

const event = { event_type: 'order.shipped', payload: { n: 1, note: 'Grüße', deep: [[1]] }, priority: 'High' };

describe('plainTrigger', () => {
  it.each([
    { type: 'user', target: 'u-1', event },
    { type: 'channel', target: 'orders', event },
    { type: 'broadcast', event },
    { event: { payload: 'x', event_type: '' }, target: 'Ü', type: 'user' },
  ])('reads %j', (message) => {
    const text = JSON.stringify(message, undefined, 1);
    expect(plainTrigger(text)).toBeDefined();
    expect(plainTrigger(text)).toEqual(careful(text));
  });

  it.each([
    ['an unknown member', { type: 'broadcast', event, x: 1 }],
    ['a tenant', { type: 'broadcast', event, tenant_id: 'acme' }],
    ['a key', { type: 'broadcast', event, idempotency_key: 'k' }],
    ['an optional member of its event', { type: 'broadcast', event: { ...event, ttl: 1 } }],
    ['null for a priority', { type: 'broadcast', event: { ...event, priority: null } }],
    ['a target that everybody has not', { type: 'broadcast', target: 'x', event }],
    ['several users', { type: 'users', target: ['a', 'b'], event }],
    ['an escape in a name', { type: 'user', target: 'a"b', event }],
    ['no target', { type: 'user', event }],
    ['no payload', { type: 'broadcast', event: { event_type: 'e' } }],
    ['a message that is too large', { type: 'broadcast', event: { ...event, payload: 'x'.repeat(MAX_TRIGGER_BYTES) } }],
    ['an array', [1]],
  ])('leaves %s to parseTrigger', (_, message) => {
    expect(plainTrigger(JSON.stringify(message))).toBeUndefined();
  });

  it('says what parseTrigger says of anything that it reads', () => {
    const word = fc.constantFrom(
      'user',
      'channel',
      'broadcast',
      'type',
      'target',
      'event',
      'payload',
      'High',
      'high',
      '',
    );
    const value = fc.oneof(word, fc.jsonValue());
    const inner = fc.record(
      {
        event_type: fc.oneof(word, fc.string()),
        payload: value,
        priority: fc.oneof({ weight: 4, arbitrary: fc.constantFrom('Low', 'High', 'low') }, value),
      },
      { requiredKeys: ['event_type', 'payload'] },
    );
    const message = fc.record(
      {
        type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom('user', 'channel', 'broadcast') }, value),
        target: fc.oneof({ weight: 5, arbitrary: fc.string({ minLength: 1 }) }, value),
        event: fc.oneof({ weight: 9, arbitrary: inner }, value),
      },
      { requiredKeys: ['type', 'event'] },
    );
    let read = 0;
    fc.assert(
      fc.property(message, fc.nat(3), fc.nat(), fc.integer({ min: 0, max: 9 }), (made, space, at, cut) => {
        const whole = JSON.stringify(made, undefined, space);
        // One in ten is damaged.
        const text = cut === 0 ? whole.slice(0, at % whole.length) + whole.slice((at % whole.length) + 1) : whole;
        const trigger = plainTrigger(text);
        if (trigger === undefined) return;
        read++;
        expect(trigger).toEqual(careful(text));
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(300);
  });
});
