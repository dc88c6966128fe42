import { FakeClock } from '../../test/support/fake-clock';
import { Outage } from './outage';

describe('a dependency that may be away for 5 s', () => {
  let clock: FakeClock;
  let outage: Outage;

  beforeEach(() => {
    clock = new FakeClock();
    outage = new Outage(5000, clock);
  });

  it('is gone after that, not before', () => {
    expect(outage.see(false)).toBe(false);
    clock.advance(4999);
    expect(outage.see(false)).toBe(false);
    clock.advance(1);
    expect(outage.see(false)).toBe(true);
  });

  it('is there again at once', () => {
    outage.see(false);
    clock.advance(60_000);
    expect(outage.see(false)).toBe(true);
    expect(outage.see(true)).toBe(false);
  });

  it('may blink for ever', () => {
    for (let second = 0; second < 60; second++) {
      expect(outage.see(second % 5 === 0)).toBe(false);
      clock.advance(1000);
    }
  });
});
