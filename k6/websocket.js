/** Connections: opening them, holding them, and how fast each gets what is sent to its channels once a second. */
import { check } from 'k6';
import { Trend } from 'k6/metrics';
import { CHANNELS, connectionsOf, everySecondOf, SUMMARY, THRESHOLDS } from './config.js';
import { listen as listenTo, recordOpenConnections } from './utils/listener.js';
import { content } from './utils/notification.js';
import { answerOf, post, requireService } from './utils/service.js';

const messageLatency = new Trend('message_latency_ms');

export const options = {
  scenarios: { connections: connectionsOf('listen'), publisher: everySecondOf('publish') },
  thresholds: THRESHOLDS.websocket,
  summaryTrendStats: SUMMARY,
};

export const setup = requireService;

export function listen() {
  listenTo(CHANNELS, { connected: () => {}, notification: (latencyMs) => messageLatency.add(latencyMs) });
}

export function publish() {
  const response = post('/api/v1/notifications/channels', { channels: CHANNELS, ...content() });
  check(answerOf(response), { 'publishing: answers with an id': (answer) => Boolean(answer?.notification_id) });
  recordOpenConnections();
}
