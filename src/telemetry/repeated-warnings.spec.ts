import { RepeatedWarnings } from './repeated-warnings';

let now: number;
let lines: unknown[];
let warnings: RepeatedWarnings;

beforeEach(() => {
  now = 0;
  lines = [];
  warnings = new RepeatedWarnings({ warn: (line: unknown) => lines.push(line) }, { now: () => now }, 1000);
});

it('logs a key once per interval and then says how often it was left out', () => {
  for (now = 0; now < 1000; now += 100) warnings.warn('full', 'Queue full', { queue: 1 });
  expect(lines).toEqual([{ msg: 'Queue full', queue: 1 }]);
  now = 1000;
  warnings.warn('full', 'Queue full');
  expect(lines[1]).toEqual({ msg: 'Queue full', suppressed: 9 });
  now = 2000;
  warnings.warn('full', 'Queue full');
  expect(lines[2]).toEqual({ msg: 'Queue full' });
});

it('treats every key on its own', () => {
  warnings.warn('a', 'A');
  warnings.warn('b', 'B');
  expect(lines).toHaveLength(2);
});
