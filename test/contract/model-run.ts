import type { Parameters } from 'fast-check';
import { repeats } from '../support/repeats';

const RUNS = Number(process.env['ARA_CONTRACT_RUNS'] ?? repeats(60));

/** On a machine so slow that all runs take longer than this, fewer do; but one at least. */
export const MODEL_MS = RUNS * 1000;

/** How a store is compared with its model. */
export const MODEL_RUN = {
  numRuns: RUNS,
  // The plugin that is to replace these two would be content with none.
  // oxlint-disable-next-line typescript/no-deprecated
  interruptAfterTimeLimit: MODEL_MS,
  // oxlint-disable-next-line typescript/no-deprecated
  markInterruptAsFailure: false,
} satisfies Parameters;
