import { UuidSource } from './uuid-source';

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

it('ids are UUIDs of version 7 of this moment, each greater than the one before', () => {
  const source = new UuidSource();
  const startedAt = Date.now();
  // More than one page of random numbers.
  const ids = Array.from({ length: 5000 }, () => source.notificationId());
  for (const id of ids) expect(id).toMatch(VERSION_7);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set([...ids, source.connectionId()]).size).toBe(5001);
  const mintedAt = parseInt((ids[0] ?? '').replace('-', '').slice(0, 12), 16);
  expect(mintedAt).toBeGreaterThanOrEqual(startedAt);
  expect(mintedAt).toBeLessThanOrEqual(Date.now());
});
