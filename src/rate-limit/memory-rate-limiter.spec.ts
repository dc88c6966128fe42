import * as fc from 'fast-check';
import { MemoryRateLimiter } from './memory-rate-limiter';
import type { BucketKey } from './rate-limiter';
import type { BucketRule } from './token-bucket';

const T0 = 1_800_000_000_000;
const RULE: BucketRule = { capacity: 3, refillTokens: 2, refillPeriodMs: 1000 };

const address = (id: string): BucketKey => ({ kind: 'address', id });

describe('MemoryRateLimiter', () => {
  it('has one bucket per kind and id', () => {
    const limiter = new MemoryRateLimiter();
    const drained = address('x');
    for (let i = 0; i < 3; i++) expect(limiter.take(drained, RULE, T0).allowed).toBe(true);
    expect(limiter.take(drained, RULE, T0).allowed).toBe(false);
    expect(limiter.take(address('y'), RULE, T0).allowed).toBe(true);
    expect(limiter.take({ kind: 'api-key', id: 'x' }, RULE, T0).allowed).toBe(true);
    expect(limiter.take({ kind: 'connect', id: 'x' }, RULE, T0).allowed).toBe(true);
  });

  it.each(['__proto__', 'constructor', '', 'a\0b'])('takes %j for an id like any other', (id) => {
    const limiter = new MemoryRateLimiter();
    const allowed = [1, 2, 3, 4].map(() => limiter.take(address(id), RULE, T0).allowed);
    expect(allowed).toEqual([true, true, true, false]);
  });

  it('stays bounded under 100,000 random ids, without refusing a client that it sees for the first time', () => {
    const limiter = new MemoryRateLimiter();
    const isLetIn = (id: string): boolean => limiter.take(address(id), RULE, T0).allowed;
    let refused = 0;
    for (let i = 0; i < 100_000; i++) if (!isLetIn(`flood-${i}`)) refused++;
    expect(refused).toBe(0);
    expect(limiter.size).toBe(32_768);
  });

  it('keeps what it knows of API keys during a flood of addresses', () => {
    const limiter = new MemoryRateLimiter(10);
    const key: BucketKey = { kind: 'api-key', id: 'general' };
    limiter.take(key, RULE, T0);
    for (let i = 0; i < 100; i++) limiter.take(address(String(i)), RULE, T0);
    expect(limiter.take(key, RULE, T0).remaining).toBe(1);
  });

  it('forgets on a sweep what is full again, and only that', () => {
    const limiter = new MemoryRateLimiter();
    limiter.take(address('one'), RULE, T0);
    for (let i = 0; i < 3; i++) limiter.take(address('three'), RULE, T0);
    limiter.sweep(T0 + 499);
    expect(limiter.size).toBe(2);
    limiter.sweep(T0 + 500);
    expect(limiter.size).toBe(1);
    expect(limiter.take(address('three'), RULE, T0 + 500).remaining).toBe(0);
    limiter.sweep(T0 + 60_000);
    expect(limiter.size).toBe(0);
  });

  it('does not forget a client that keeps asking, however many others come', () => {
    const limiter = new MemoryRateLimiter(4);
    for (let i = 0; i < 3; i++) limiter.take(address('greedy'), RULE, T0);
    for (let i = 0; i < 300; i++) {
      limiter.take(address(`other-${i}`), RULE, T0);
      if (i % 3 === 0) expect(limiter.take(address('greedy'), RULE, T0).allowed).toBe(false);
    }
  });

  it('forgets the one that was idle longest when there is no more room', () => {
    const limiter = new MemoryRateLimiter(2);
    for (const id of ['a', 'b', 'a', 'c']) limiter.take(address(id), RULE, T0);
    expect(limiter.size).toBe(2);
    expect(limiter.take(address('a'), RULE, T0).remaining).toBe(0);
    expect(limiter.take(address('b'), RULE, T0).remaining).toBe(2);
  });

  it('never lets a client exceed capacity + rate × time, however often buckets are swept', () => {
    const steps = fc.array(
      fc.record({
        client: fc.nat(12),
        pause: fc.oneof(fc.constant(0), fc.nat(300)),
        sweeps: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      }),
      { minLength: 1, maxLength: 150 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        const limiter = new MemoryRateLimiter();
        const passed = new Map<number, number[]>();
        let at = T0;
        for (const { client, pause, sweeps } of sequence) {
          at += pause;
          if (sweeps) limiter.sweep(at);
          if (limiter.take(address(String(client)), RULE, at).allowed) {
            passed.set(client, [...(passed.get(client) ?? []), at]);
          }
        }
        for (const times of passed.values()) {
          for (const [i, from] of times.entries()) {
            for (const [j, to] of times.slice(i).entries()) {
              expect(j + 1).toBeLessThanOrEqual(
                RULE.capacity + ((to - from) * RULE.refillTokens) / RULE.refillPeriodMs,
              );
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
