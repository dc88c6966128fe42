const { default: Sequencer } = require('@jest/test-sequencer');

/** Small files that take long: each start of the service is a second, and they start it for each of their tests. */
const LONG = ['docs-samples', 'log-canary', 'audit', 'observability-scenario', 'redis-ha.service', 'slow-readers'];
const isLong = ({ path }) => LONG.some((name) => path.endsWith(`/${name}.spec.ts`));

/**
 * The order in which test files are taken: jest's own, which is by the time that each took before. On a fresh checkout
 * nothing is known, and jest goes by size; then a long one that came last would be waited for by all.
 */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const order = super.sort(tests);
    return [...order.filter(isLong), ...order.filter((test) => !isLong(test))];
  }
};
