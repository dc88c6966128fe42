import { backoffMs } from './backoff';

const OPTIONS = { initialMs: 100, maxMs: 30_000 };

describe('backoffMs', () => {
  it('doubles from the first delay up to the longest', () => {
    const delays = Array.from({ length: 12 }, (_, attempt) => backoffMs(attempt, OPTIONS, () => 0));
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
  });

  it('adds up to one first delay of chance, within the longest', () => {
    expect(backoffMs(0, OPTIONS, () => 0.5)).toBe(150);
    expect(backoffMs(3, OPTIONS, () => 0.999)).toBeCloseTo(899.9);
    expect(backoffMs(9, OPTIONS, () => 1)).toBe(30_000);
  });

  it('stays finite for ever', () => {
    expect(backoffMs(5000, OPTIONS)).toBe(30_000);
  });
});
