import { HELP, parseOptions, type SoakOptions } from '../fault/soak/options';
import { soak } from '../fault/soak/soak';
import { slope } from '../fault/soak/vitals';

function optionsOf(...args: readonly string[]): SoakOptions {
  const options = parseOptions(args);
  if (options === undefined) throw new Error('only help was asked for');
  return options;
}

describe('a soak', () => {
  it('says what it takes, and refuses what it does not', () => {
    expect(parseOptions(['--help'])).toBeUndefined();
    for (const option of ['--minutes', '--rate', '--connects', '--blink', '--seed']) expect(HELP).toContain(option);
    expect(() => parseOptions(['--minutes', 'many'])).toThrow('--minutes is a number above 0');
  });

  it('tells growth from noise', () => {
    const points = (...values: number[]): [number, number][] => values.map((value, at) => [at, value]);
    expect(slope(points(5, 7, 9))).toBeCloseTo(2);
    expect(slope(points(5, 6, 5, 6, 5))).toBeCloseTo(0);
  });

  // Memory and delays need a longer run, and a machine that does nothing else: npm run soak.
  it('leaves nothing behind', async () => {
    const { opened, received, blinks, left_behind, exit_code } = await soak(
      optionsOf('--minutes', '0.25', '--blink', '5'),
    );
    expect({ left_behind, exit_code }).toEqual({ left_behind: {}, exit_code: 0 });
    expect(opened).toBeGreaterThan(50);
    expect(received).toBeGreaterThan(50);
    expect(blinks).toBeGreaterThan(0);
  }, 240_000);
});
