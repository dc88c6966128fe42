/** Figures of an audit in which nothing was wrong, whatever happened. */
export const SOUND = {
  lost: 0,
  not_redelivered: 0,
  foreign: 0,
  id_conflicts: 0,
  twice_on_a_connection: 0,
  inversions: 0,
  queue_left: 0,
  counters_off: {},
  untold: 0,
  unclean_exits: 0,
  examples: [],
} as const;
