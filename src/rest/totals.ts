import { Subject } from '../workers/workers';

const DAY_MS = 86_400_000;
const TODAY = ['sentToday', 'deliveredToday', 'failedToday'] as const;
const EVER = [
  'sent',
  'delivered',
  'failed',
  'toUsers',
  'toAll',
  'toChannels',
  'tracked',
  'acked',
  'expired',
  'latencyMs',
  'pendingInGroups',
] as const;

/** Notifications and acknowledgements, counted. */
export type Totals = Readonly<Record<(typeof EVER)[number] | (typeof TODAY)[number], number>> & {
  /** The UTC day that the figures of today belong to, in days since the epoch. */
  readonly day: number;
};

/** What each process counted; an ended one waits for no acknowledgement any more. */
export const TOTALS = new Subject<null, Totals>('totals', {
  add: (departed, last) => sumOf([...(departed === undefined ? [] : [departed]), { ...last, pendingInGroups: 0 }]),
});

/** @param now in milliseconds since the epoch: no figure of today is of an earlier day. */
export function sumOf(parts: readonly Totals[], now = 0): Totals {
  const day = parts.reduce((latest, part) => Math.max(latest, part.day), Math.floor(now / DAY_MS));
  const sum = { day, ...zeros([...EVER, ...TODAY]) };
  for (const part of parts) {
    for (const figure of EVER) sum[figure] += part[figure];
    if (part.day === day) for (const figure of TODAY) sum[figure] += part[figure];
  }
  return sum;
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}
