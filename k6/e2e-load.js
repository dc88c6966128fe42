/**
 * Both ends at once: connections that listen, requests that reach them, and the time from one to the other. Unless
 * SCENARIO says otherwise, a request goes to one user, and one a second to the channel that everybody hears.
 */
import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import { connectionsOf, everySecondOf, PROFILE, requestsOf, SCENARIO, SUMMARY, THRESHOLDS } from './config.js';
import { listen as listenTo, recordOpenConnections } from './utils/listener.js';
import { content, endpointOf, targetOf } from './utils/notification.js';
import { answerOf, post, requireService } from './utils/service.js';

const requestsTotal = new Counter('http_requests_total');
const requestsFailed = new Counter('http_requests_failed');
const httpLatency = new Trend('http_latency_ms');
const e2eLatency = new Trend('e2e_latency_ms');
/** Connections and requests alike. */
const overallSuccess = new Rate('overall_success_rate');

const E2E_CHANNELS = ['e2e-load-test'];

export const options = {
  scenarios: {
    connections: connectionsOf('listen'),
    requests: requestsOf('send'),
    observer: everySecondOf('observe'),
  },
  thresholds: THRESHOLDS['e2e-load'],
  summaryTrendStats: SUMMARY,
};

export const setup = requireService;

export function listen() {
  listenTo(E2E_CHANNELS, {
    connected: (success) => overallSuccess.add(success),
    notification: (latencyMs) => e2eLatency.add(latencyMs),
  });
}

export function send() {
  const { path, field } = endpointOf(targetOf(SCENARIO ?? usual(), E2E_CHANNELS));
  const response = post(path, { ...field, ...content() });
  const succeeded = check(response, {
    'send: status is 200': ({ status }) => status === 200,
    'send: answers with an id': () => Boolean(answerOf(response)?.notification_id),
  });

  requestsTotal.add(1);
  httpLatency.add(response.timings.duration);
  overallSuccess.add(succeeded);
  if (!succeeded) requestsFailed.add(1);
}

export function observe() {
  recordOpenConnections();
}

function usual() {
  return exec.scenario.iterationInTest % PROFILE.rate === 0 ? 'channel' : 'user';
}
