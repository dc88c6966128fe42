import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
import ws from 'k6/ws';
import { CONNECTION_SECONDS, RUN_SECONDS, WS_URL } from '../config.js';
import { tokenFor } from './jwt-generator.js';
import { userName } from './notification.js';
import { openConnections } from './service.js';

const connectionsTotal = new Counter('ws_connections_total');
/** Refused, or ended by the service before their time. */
const connectionsFailed = new Counter('ws_connections_failed');
const messagesReceived = new Counter('ws_messages_received');
const messagesSent = new Counter('ws_messages_sent');
const notificationsReceived = new Counter('notifications_received');
const connectionDuration = new Trend('connection_duration_s');
const connectionSuccess = new Rate('connection_success_rate');
/** As the service counts them, once a second. */
const activeConnections = new Gauge('active_connections');

const PING_MS = 25_000;
/** A connection that has less time before the run ends is not worth opening. */
const MIN_SECONDS = 2;

/** How long what a virtual user begins now may last, in seconds: CONNECTION_DURATION, or what is left of the run. */
export function secondsToStay() {
  const left = RUN_SECONDS - (Date.now() - exec.scenario.startTime) / 1000;
  return Math.floor(Math.min(CONNECTION_SECONDS, left));
}

/** The user that the current iteration acts for. Those that are open at the same time are different ones. */
export function currentUser() {
  return userName(exec.scenario.iterationInTest + 1);
}

/**
 * Opens a WebSocket, subscribes, and listens until its time is over. A connection counts as a success once the service
 * has confirmed the subscription: one that a limit refuses has been upgraded before.
 *
 * @param {readonly string[]} channels
 * @param {{ connected: (success: boolean) => void, notification: (latencyMs: number) => void }} on
 */
export function listen(channels, on) {
  const stay = secondsToStay();
  if (stay < MIN_SECONDS) return sleep(Math.max(stay, 1));

  let isConfirmed = false;
  let isOver = false;
  const openedAt = Date.now();
  const params = { headers: { Authorization: `Bearer ${tokenFor(currentUser())}` } };
  connectionsTotal.add(1);
  const response = ws.connect(WS_URL, params, (socket) => {
    const send = (/** @type {unknown} */ message) => {
      socket.send(JSON.stringify(message));
      messagesSent.add(1);
    };
    socket.on('open', () => send({ type: 'Subscribe', payload: { channels } }));
    socket.on('message', (text) => {
      const arrivedAt = Date.now();
      messagesReceived.add(1);
      const message = JSON.parse(text);
      if (message.type === 'subscribed') {
        isConfirmed = true;
        connectionSuccess.add(true);
        on.connected(true);
      } else if (message.type === 'notification') {
        notificationsReceived.add(1);
        const sentAt = message.payload?.sent_at;
        // Sent before: it was kept for this user, and has waited for the connection.
        if (sentAt >= openedAt) on.notification(arrivedAt - sentAt);
      } else if (message.type === 'error') {
        check(message, { [`WebSocket: no error ${message.code}`]: () => false });
      }
    });
    socket.setInterval(() => send({ type: 'Ping' }), PING_MS);
    socket.setTimeout(() => {
      isOver = true;
      socket.close();
    }, stay * 1000);
  });

  check(response, { 'WebSocket: status is 101': (one) => one?.status === 101 });
  connectionDuration.add((Date.now() - openedAt) / 1000);
  if (!isConfirmed) {
    connectionSuccess.add(false);
    on.connected(false);
  }
  if (!isConfirmed || !isOver) {
    connectionsFailed.add(1);
    // Whoever is refused comes back a little later, as a client would.
    sleep(1);
  }
}

/** For a scenario that runs once a second. */
export function recordOpenConnections() {
  const open = openConnections();
  if (open !== undefined) activeConnections.add(open);
}
