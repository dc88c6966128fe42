import { retryMs, shutdownJitterMs } from './retry-hint';

it('spreads the return of streams over one second around three', () => {
  expect([0, 0.5, 0.999_999].map((drawn) => retryMs(() => drawn))).toEqual([2500, 3000, 3500]);
});

it('spreads the return after a shutdown over 0 to 5000 ms, both included', () => {
  expect([0, 0.5, 0.999_999].map((drawn) => shutdownJitterMs(() => drawn))).toEqual([0, 2500, 5000]);
});

it('draws by itself', () => {
  const draws = new Set(Array.from({ length: 50 }, () => shutdownJitterMs()));
  expect(draws.size).toBeGreaterThan(10);
  for (let i = 0; i < 50; i++) {
    expect(Math.abs(retryMs() - 3000)).toBeLessThanOrEqual(500);
  }
});
