import fc from 'fast-check';
import { Clock } from '../notification/clock';
import { CircuitBreaker } from './circuit-breaker';

class FakeClock extends Clock {
  time = 1_000_000;
  now(): number {
    return this.time;
  }
}

const OPTIONS = { failureThreshold: 5, successThreshold: 2, resetMs: 30_000 };

function breaker(): { breaker: CircuitBreaker; clock: FakeClock } {
  const clock = new FakeClock();
  return { breaker: new CircuitBreaker(OPTIONS, clock), clock };
}

function fail(circuit: CircuitBreaker, times: number): void {
  for (let i = 0; i < times; i++) circuit.failed();
}

describe('CircuitBreaker', () => {
  it('opens after five failures in a row, and not before', () => {
    const { breaker: circuit } = breaker();
    fail(circuit, 4);
    expect([circuit.state, circuit.failures, circuit.admits()]).toEqual(['closed', 4, true]);
    circuit.failed();
    expect([circuit.state, circuit.failures, circuit.admits()]).toEqual(['open', 5, false]);
  });

  it('counts from nothing after a success', () => {
    const { breaker: circuit } = breaker();
    fail(circuit, 4);
    circuit.succeeded();
    expect(circuit.failures).toBe(0);
    fail(circuit, 4);
    expect(circuit.state).toBe('closed');
  });

  it('is half open 30 s after it opened, whatever failed in between', () => {
    const { breaker: circuit, clock } = breaker();
    fail(circuit, 5);
    clock.time += 29_999;
    circuit.failed();
    circuit.succeeded();
    expect(circuit.state).toBe('open');
    clock.time += 1;
    expect([circuit.state, circuit.admits()]).toEqual(['half_open', true]);
  });

  it('closes after two successes while half open', () => {
    const { breaker: circuit, clock } = breaker();
    fail(circuit, 5);
    clock.time += 30_000;
    circuit.succeeded();
    expect(circuit.state).toBe('half_open');
    circuit.succeeded();
    expect([circuit.state, circuit.failures]).toEqual(['closed', 0]);
  });

  it('opens for another 30 s at one failure while half open', () => {
    const { breaker: circuit, clock } = breaker();
    fail(circuit, 5);
    clock.time += 30_000;
    circuit.succeeded();
    circuit.failed();
    expect(circuit.state).toBe('open');
    clock.time += 29_999;
    expect(circuit.state).toBe('open');
    clock.time += 1;
    circuit.succeeded();
    expect(circuit.state).toBe('half_open');
  });

  it('tries again at once when told so, but only if it is open', () => {
    const { breaker: circuit } = breaker();
    circuit.tryAgain();
    expect(circuit.state).toBe('closed');
    fail(circuit, 5);
    circuit.tryAgain();
    expect(circuit.state).toBe('half_open');
    circuit.succeeded();
    circuit.tryAgain();
    circuit.succeeded();
    expect(circuit.state).toBe('closed');
  });

  it('never admits a call within 30 s of opening unless told to, and always does afterwards', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom('fail', 'succeed'), fc.integer({ min: 1, max: 40_000 }))),
        (steps) => {
          const { breaker: circuit, clock } = breaker();
          let openedAt: number | undefined;
          for (const step of steps) {
            const before = circuit.state;
            if (step === 'fail') circuit.failed();
            else if (step === 'succeed') circuit.succeeded();
            else clock.time += step;
            if (circuit.state === 'open' && before !== 'open') openedAt = clock.time;
            expect(circuit.admits()).toBe(circuit.state !== 'open');
            if (circuit.state === 'open') expect(clock.time - (openedAt ?? NaN)).toBeLessThan(30_000);
          }
        },
      ),
    );
  });
});
