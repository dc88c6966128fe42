import { sumOf, TOTALS, type Totals } from './totals';

const DAY_MS = 86_400_000;

const counted = (day: number, n: number): Totals => ({
  ...sumOf([], day * DAY_MS),
  ...{ sent: n, sentToday: n, tracked: n, pendingInGroups: n },
});

it('adds up what was ever counted, and of today only what was counted today', () => {
  expect(sumOf([counted(7, 1), counted(7, 2), counted(6, 4)], 7 * DAY_MS)).toMatchObject({
    day: 7,
    sent: 7,
    sentToday: 3,
    deliveredToday: 0,
  });
  expect(sumOf([counted(7, 1)], 8 * DAY_MS)).toMatchObject({ day: 8, sent: 1, sentToday: 0 });
});

it('keeps of an ended worker what it counted, not what it waited for', () => {
  const departed = TOTALS.legacy!.add(TOTALS.legacy!.add(undefined, counted(7, 1)), counted(7, 2));
  expect(departed).toMatchObject({ sent: 3, sentToday: 3, tracked: 3, pendingInGroups: 0 });
});
