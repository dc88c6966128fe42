import { Clock } from '../../src/notification/clock';

/** A time of day that moves when the test says so. */
export class FakeClock extends Clock {
  constructor(private milliseconds = Date.UTC(2026, 0, 1)) {
    super();
  }

  now(): number {
    return this.milliseconds;
  }

  advance(milliseconds: number): void {
    this.milliseconds += milliseconds;
  }
}
