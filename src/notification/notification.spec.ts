import { Engine } from '../../test/support/engine';
import { type DeliveryReport, isAccepted } from './delivery';
import { expiresAt, hasExpired } from './notification';
import { parsePriority, PRIORITIES } from './priority';

const engine = new Engine();

describe('the life of a notification', () => {
  it('has no end without a ttl', () => {
    expect(expiresAt(engine.notification())).toBe(Infinity);
    expect(hasExpired(engine.notification(), Number.MAX_SAFE_INTEGER)).toBe(false);
  });

  it('ends that many seconds after it occurred, at once with a ttl of 0', () => {
    const notification = engine.notification({ occurredAt: 5000, ttlSeconds: 2 });
    expect(expiresAt(notification)).toBe(7000);
    expect([6999, 7000].map((now) => hasExpired(notification, now))).toEqual([false, true]);
    expect(hasExpired(engine.notification({ occurredAt: 5000, ttlSeconds: 0 }), 5000)).toBe(true);
  });
});

it('knows priorities by the case in which the wire spells them', () => {
  expect(PRIORITIES.map(parsePriority)).toEqual(['Critical', 'High', 'Normal', 'Low']);
  for (const raw of ['low', 'LOW', '', null, undefined, 3]) expect(parsePriority(raw)).toBeUndefined();
});

it('is accepted when somebody received it or it is kept for somebody', () => {
  const report = (deliveredTo: number, queuedCount: number): DeliveryReport => ({
    id: engine.notification().id,
    deliveredTo,
    failed: 1,
    queuedCount,
    durable: false,
    duplicate: false,
    expired: false,
  });
  expect([report(1, 0), report(0, 1), report(0, 0)].map(isAccepted)).toEqual([true, true, false]);
});
