/** The batch endpoint: each request carries BATCH_SIZE notifications, give or take twenty. */
import { check } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';
import { BATCH_SIZE, MAX_BATCH_SIZE, requestsOf, SCENARIO, SUMMARY, THRESHOLDS } from './config.js';
import { content, targetOf } from './utils/notification.js';
import { answerOf, post, requireService } from './utils/service.js';

const requestsTotal = new Counter('batch_requests_total');
const requestsFailed = new Counter('batch_requests_failed');
const notificationsInBatch = new Counter('notifications_in_batch');
const notificationsSucceeded = new Counter('notifications_succeeded');
const notificationsFailed = new Counter('notifications_failed');
const deliveriesTotal = new Counter('deliveries_total');
const batchLatency = new Trend('batch_latency_ms');
const batchSuccess = new Rate('batch_success_rate');

const SPREAD = 20;

export const options = {
  scenarios: { requests: requestsOf('sendBatch') },
  thresholds: THRESHOLDS['batch-api'],
  summaryTrendStats: SUMMARY,
};

export const setup = requireService;

export function sendBatch() {
  const notifications = Array.from({ length: size() }, () => {
    const { kind: type, ...value } = targetOf(SCENARIO ?? 'mixed');
    return { target: { type, ...value }, ...content() };
  });
  const response = post('/api/v1/notifications/batch', { notifications });
  const answer = answerOf(response);
  const succeeded = check(response, {
    'batch: status is 200': ({ status }) => status === 200,
    'batch: answers with an id': () => Boolean(answer?.batch_id),
    'batch: every notification has its result': () => answer?.summary?.total === notifications.length,
  });

  requestsTotal.add(1);
  notificationsInBatch.add(notifications.length);
  batchLatency.add(response.timings.duration);
  batchSuccess.add(succeeded);
  if (succeeded) {
    notificationsSucceeded.add(answer.summary.succeeded);
    notificationsFailed.add(answer.summary.failed);
    deliveriesTotal.add(answer.summary.total_delivered);
  } else requestsFailed.add(1);
}

function size() {
  const drawn = BATCH_SIZE - SPREAD + Math.floor(Math.random() * (2 * SPREAD + 1));
  return Math.min(MAX_BATCH_SIZE, Math.max(1, drawn));
}
