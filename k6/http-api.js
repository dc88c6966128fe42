/** The four sending endpoints: throughput and latency. Whether anybody listens is up to what else is running. */
import { check } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';
import { requestsOf, SCENARIO, SUMMARY, THRESHOLDS } from './config.js';
import { content, endpointOf, targetOf } from './utils/notification.js';
import { answerOf, post, requireService } from './utils/service.js';

const requestsTotal = new Counter('http_requests_total');
const requestsFailed = new Counter('http_requests_failed');
const notificationsSent = new Counter('notifications_sent');
const deliveriesTotal = new Counter('deliveries_total');
const requestLatency = new Trend('request_latency_ms');
const requestSuccess = new Rate('request_success_rate');

export const options = {
  scenarios: { requests: requestsOf('send') },
  thresholds: THRESHOLDS['http-api'],
  summaryTrendStats: SUMMARY,
};

export const setup = requireService;

export function send() {
  const { path, field } = endpointOf(targetOf(SCENARIO ?? 'mixed'));
  const response = post(path, { ...field, ...content() });
  const answer = answerOf(response);
  const succeeded = check(response, {
    'send: status is 200': ({ status }) => status === 200,
    'send: answers with an id': () => Boolean(answer?.notification_id),
  });

  requestsTotal.add(1);
  requestLatency.add(response.timings.duration);
  requestSuccess.add(succeeded);
  if (succeeded) {
    notificationsSent.add(1);
    deliveriesTotal.add(answer.delivered_to);
  } else requestsFailed.add(1);
}
