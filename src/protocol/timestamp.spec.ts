import { timestamp } from './timestamp';

it('tells each moment, the same one twice, and an earlier one after a later', () => {
  for (const ms of [0, 0, 1_700_000_000_123, 1_700_000_000_124, 1_700_000_000_123]) {
    expect(timestamp(ms)).toBe(new Date(ms).toISOString());
  }
});
