import type { Answer } from './ledger';
import type { RequestPlan } from './plan';

/** Where notifications come in. */
export interface Door {
  /** What is said of each post, in order; undefined or rejected: nobody answered, and nothing was promised. */
  post(request: RequestPlan): Promise<readonly Answer[] | undefined>;
  close(): Promise<void> | void;
}
