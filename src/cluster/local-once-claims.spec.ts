import { FakeClock } from '../../test/support/fake-clock';
import { LocalOnceClaims } from './local-once-claims';

it('lets the first caller win for 120 s, and the next first one after that', async () => {
  const clock = new FakeClock();
  const claims = new LocalOnceClaims(clock);
  expect(await claims.claim('a')).toBe(true);
  clock.advance(1000);
  expect(await claims.claim('b')).toBe(true);
  clock.advance(118_999);
  expect(await claims.claim('a')).toBe(false);
  clock.advance(1);
  expect(await claims.claim('a')).toBe(true);
  expect(await claims.claim('b')).toBe(false);
  clock.advance(1000);
  expect(await claims.claim('b')).toBe(true);
  expect(await claims.claim('a')).toBe(false);
});

it('tells keys apart', async () => {
  const claims = new LocalOnceClaims(new FakeClock());
  expect(await Promise.all(['', 'a', 'A', 'a'].map((key) => claims.claim(key)))).toEqual([true, true, true, false]);
});
