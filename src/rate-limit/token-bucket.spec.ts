import * as fc from 'fast-check';
import { TokenBucket, type BucketRule } from './token-bucket';

const T0 = 1_800_000_000_000;

const rules = fc.record<BucketRule>({
  capacity: fc.integer({ min: 1, max: 50 }),
  refillTokens: fc.integer({ min: 1, max: 997 }),
  refillPeriodMs: fc.constantFrom(1000, 60_000),
});
const gaps = fc.array(fc.oneof(fc.constant(0), fc.nat(20), fc.nat(5000)), { minLength: 1, maxLength: 200 });

/** Moments of requests, in milliseconds. */
function momentsOf(pauses: readonly number[]): number[] {
  let at = T0;
  return pauses.map((pause) => (at += pause));
}

describe('TokenBucket', () => {
  it('never lets through more than its capacity + rate × time, in any span of time', () => {
    fc.assert(
      fc.property(rules, gaps, (rule, pauses) => {
        const bucket = new TokenBucket(rule, T0);
        const passed = momentsOf(pauses).filter((at) => bucket.take(at));
        for (const [i, from] of passed.entries()) {
          for (const [j, to] of passed.slice(i).entries()) {
            const allowance = rule.capacity * rule.refillPeriodMs + (to - from) * rule.refillTokens;
            expect((j + 1) * rule.refillPeriodMs).toBeLessThanOrEqual(allowance);
          }
        }
      }),
    );
  });

  it('decides like a bucket of exact fractions', () => {
    fc.assert(
      fc.property(rules, gaps, (rule, pauses) => {
        const bucket = new TokenBucket(rule, T0);
        const [token, rate] = [BigInt(rule.refillPeriodMs), BigInt(rule.refillTokens)];
        const full = BigInt(rule.capacity) * token;
        let level = full;
        let last = T0;
        for (const at of momentsOf(pauses)) {
          level += BigInt(at - last) * rate;
          if (level > full) level = full;
          last = at;
          const allowed = level >= token;
          if (allowed) level -= token;
          expect(bucket.decide(at)).toMatchObject({ allowed, remaining: Number(level / token) });
        }
      }),
    );
  });

  it('loses nothing under steady load: 30 per second are 18,000 in ten minutes', () => {
    const bucket = new TokenBucket({ capacity: 2, refillTokens: 30, refillPeriodMs: 1000 }, T0);
    let passed = 0;
    for (let at = T0; at <= T0 + 600_000; at++) if (bucket.take(at)) passed++;
    expect(passed).toBe(2 + 18_000);
  });

  it('says how things stand', () => {
    const bucket = new TokenBucket({ capacity: 3, refillTokens: 2, refillPeriodMs: 1000 }, T0);
    const second = T0 / 1000;
    expect(bucket.decide(T0)).toEqual({
      allowed: true,
      limit: 2,
      remaining: 2,
      resetSeconds: second + 1,
      retryAfterSeconds: 0,
    });
    bucket.decide(T0);
    expect(bucket.decide(T0)).toMatchObject({ allowed: true, remaining: 0, resetSeconds: second + 2 });
    expect(bucket.decide(T0)).toMatchObject({ allowed: false, remaining: 0, retryAfterSeconds: 1 });
    expect(bucket.decide(T0 + 499)).toMatchObject({ allowed: false });
    expect(bucket.decide(T0 + 500)).toMatchObject({ allowed: true });
  });

  it('asks to wait as long as it takes', () => {
    const bucket = new TokenBucket({ capacity: 1, refillTokens: 10, refillPeriodMs: 60_000 }, T0);
    bucket.take(T0);
    expect(bucket.decide(T0)).toMatchObject({ allowed: false, retryAfterSeconds: 6, limit: 10 });
    expect(bucket.decide(T0 + 5001)).toMatchObject({ allowed: false, retryAfterSeconds: 1 });
    expect(bucket.take(T0 + 6000)).toBe(true);
  });

  it('goes on from a clock that was set back, and gives nothing for it', () => {
    const bucket = new TokenBucket({ capacity: 1, refillTokens: 1, refillPeriodMs: 1000 }, T0);
    expect(bucket.take(T0)).toBe(true);
    const earlier = T0 - 3_600_000;
    expect(bucket.take(earlier)).toBe(false);
    expect(bucket.take(earlier + 999)).toBe(false);
    expect(bucket.take(earlier + 1000)).toBe(true);
  });
});
