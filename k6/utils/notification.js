import { CHANNELS, PROFILE } from '../config.js';

/**
 * What one request addresses. `kind` and `value` are as a batch takes them.
 *
 * @typedef {{ kind: 'user' | 'channel', value: string } | { kind: 'users', value: string[] } | { kind: 'broadcast' }} Target
 */

const USERS_PER_REQUEST = 5;
/** SCENARIO=mixed, in parts of 1: the rest goes to a channel. */
const MIXED = { user: 0.5, users: 0.2, broadcast: 0.1 };

/** The virtual users that hold connections are numbered, so that senders know them: 1 to the profile's connections. */
export const userName = (/** @type {number} */ number) => `load-user-${((number - 1) % PROFILE.connections) + 1}`;

/**
 * @param {import('../config.js').Scenario} scenario
 * @param {readonly string[]} [channels]
 * @returns {Target}
 */
export function targetOf(scenario, channels = CHANNELS) {
  switch (scenario) {
    case 'user':
      return { kind: 'user', value: randomUser() };
    case 'users':
      return { kind: 'users', value: Array.from({ length: USERS_PER_REQUEST }, randomUser) };
    case 'broadcast':
      return { kind: 'broadcast' };
    case 'channel':
      return { kind: 'channel', value: channels[Math.floor(Math.random() * channels.length)] ?? 'load-test' };
    case 'mixed':
      return targetOf(mixed(), channels);
  }
}

/** The endpoint for a target, and the field that names the target there. @param {Target} target */
export function endpointOf(target) {
  switch (target.kind) {
    case 'user':
      return { path: '/api/v1/notifications/send', field: { target_user_id: target.value } };
    case 'users':
      return { path: '/api/v1/notifications/send-to-users', field: { target_user_ids: target.value } };
    case 'broadcast':
      return { path: '/api/v1/notifications/broadcast', field: {} };
    case 'channel':
      return { path: '/api/v1/notifications/channel', field: { channel: target.value } };
  }
}

/** Some 200 bytes, with the time by which a listener in this process measures. */
export function content() {
  return {
    event_type: 'load.test',
    payload: {
      sent_at: Date.now(),
      order_id: 1_000_000 + Math.floor(Math.random() * 1_000_000),
      status: 'shipped',
      text: 'A notification of the load test, about as long as a short message to a person is.',
    },
    priority: 'Normal',
  };
}

function randomUser() {
  return userName(1 + Math.floor(Math.random() * PROFILE.connections));
}

/** @returns {Exclude<import('../config.js').Scenario, 'mixed'>} */
function mixed() {
  const drawn = Math.random();
  if (drawn < MIXED.user) return 'user';
  if (drawn < MIXED.user + MIXED.users) return 'users';
  return drawn < MIXED.user + MIXED.users + MIXED.broadcast ? 'broadcast' : 'channel';
}
