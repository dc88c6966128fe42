/**
 * How often a test does what it does at random, or merely over and over: `times`; a fifth of them under `npm test`, which
 * promises to be quick. `npm run test:all` and a test run by itself do the whole.
 */
export function repeats(times: number): number {
  return process.env['ARA_TEST_QUICK'] === '1' ? Math.ceil(times / 5) : times;
}
