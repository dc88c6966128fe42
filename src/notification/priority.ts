/** In the order in which they leave a backlog. */
export const PRIORITIES = ['Critical', 'High', 'Normal', 'Low'] as const;

export type Priority = (typeof PRIORITIES)[number];

export const DEFAULT_PRIORITY: Priority = 'Normal';

/** 0 leaves first. */
export const PRIORITY_RANK: Readonly<Record<Priority, number>> = { Critical: 0, High: 1, Normal: 2, Low: 3 };

/** Case-sensitive, as the wire spells it; anything else: undefined. */
export function parsePriority(raw: unknown): Priority | undefined {
  return PRIORITIES.find((priority) => priority === raw);
}
