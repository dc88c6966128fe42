/**
 * Server-Sent Events: does every stream carry, exactly once, what its user was sent while it was open?
 *
 * k6 has no SSE client and shows a response only when it has ended. So each stream gets a token that the service stops
 * taking at a known time (WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY); then the service ends the stream, and k6 has all of it.
 * Meanwhile the same virtual user sends to itself. What cannot be told in this way is when an event arrived: there is
 * no latency here.
 */
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';
import { setTimeout } from 'k6/timers';
import { connectionsOf, JWT_LEEWAY_SECONDS, JWT_SECRET, PROFILE, SSE_URL, SUMMARY, THRESHOLDS } from './config.js';
import { tokenFor } from './utils/jwt-generator.js';
import { secondsToStay } from './utils/listener.js';
import { content } from './utils/notification.js';
import { answerOf, post, requireService } from './utils/service.js';

const streamsTotal = new Counter('sse_streams_total');
const streamsFailed = new Counter('sse_streams_failed');
const streamSuccess = new Rate('sse_connection_success_rate');
/** From the request to the first byte of the answer. */
const firstByte = new Trend('sse_first_byte_ms');
/** Those that the answer said were handed to a connection. */
const notificationsSent = new Counter('sse_notifications_sent');
const notificationsReceived = new Counter('sse_notifications_received');
/** Of those sent: found in the stream exactly once. */
const deliveryRate = new Rate('sse_delivery_rate');
const requestSuccess = new Rate('request_success_rate');

const MIN_SECONDS = 3;
/** How long after its time the service may take to end a stream. */
const GRACE_SECONDS = 30;
/** Together, the streams make as many requests per second as the profile says. */
const SEND_EVERY_MS = (1000 * PROFILE.connections) / PROFILE.rate;

export const options = {
  scenarios: { streams: connectionsOf('stream') },
  thresholds: THRESHOLDS.sse,
  summaryTrendStats: SUMMARY,
};

export function setup() {
  requireService();
  if (JWT_SECRET === undefined) exec.test.abort('sse.js signs tokens of a known life: set JWT_SECRET.');
  const probe = http.get(SSE_URL, request('load-probe', 1));
  if (probe.status !== 200 || !isComplete(probe.body))
    exec.test.abort(
      'The service left a stream open whose token had expired. Start it with WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY=true' +
        ` and, if it is not 60, tell its JWT_LEEWAY_SECONDS to this test. (${probe.status} ${probe.error})`,
    );
}

export async function stream() {
  const stay = secondsToStay();
  if (stay < MIN_SECONDS) return pause(Math.max(stay, 1) * 1000);

  // One of its own for each stream, lest an earlier one that is about to end takes what is sent for this one.
  const user = `load-sse-${exec.scenario.iterationInTest}`;
  const endsAt = Date.now() + stay * 1000;
  const ended = http.asyncRequest('GET', SSE_URL, null, request(user, stay));
  streamsTotal.add(1);
  const sent = [];
  await pause(Math.random() * SEND_EVERY_MS);
  while (Date.now() < endsAt) {
    const id = send(user);
    if (id !== undefined) sent.push(id);
    await pause(Math.min(SEND_EVERY_MS, Math.max(0, endsAt - Date.now())));
  }

  const response = await ended;
  const isWhole = check(response, {
    'SSE: status is 200': ({ status }) => status === 200,
    'SSE: the service ended the stream': ({ body }) => isComplete(body),
  });
  streamSuccess.add(isWhole);
  if (!isWhole) return streamsFailed.add(1);
  firstByte.add(response.timings.waiting);
  const seen = idsIn(String(response.body));
  notificationsReceived.add([...seen.values()].reduce((sum, times) => sum + times, 0));
  for (const id of sent) deliveryRate.add(seen.get(id) === 1);
}

/** The id, when a connection took it. @param {string} user @returns {string | undefined} */
function send(user) {
  const answer = answerOf(post('/api/v1/notifications/send', { target_user_id: user, ...content() }));
  requestSuccess.add(Boolean(answer?.notification_id));
  if (answer === undefined || answer.delivered_to === 0) return undefined;
  notificationsSent.add(1);
  return answer.notification_id;
}

/** @param {string} user @param {number} seconds */
function request(user, seconds) {
  return {
    headers: { Authorization: `Bearer ${tokenFor(user, seconds - JWT_LEEWAY_SECONDS)}`, Accept: 'text/event-stream' },
    timeout: `${seconds + GRACE_SECONDS}s`,
    tags: { name: '/sse' },
  };
}

/** The service says why it ends a stream; one that broke off does not. @param {unknown} body */
function isComplete(body) {
  return /^event: connected$/m.test(String(body)) && /^event: error$/m.test(String(body));
}

/** How often each notification is in a stream. @param {string} body */
function idsIn(body) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  for (const [, id = ''] of body.matchAll(/^event: notification\nid: (.+)$/gm)) seen.set(id, (seen.get(id) ?? 0) + 1);
  return seen;
}

/** @param {number} ms @returns {Promise<void>} */
function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
