/** What is sent in every scenario, and the secrets of a run. CommonJS, because TypeScript sources read it too. */
const { createHmac, randomBytes } = require('node:crypto');

/** Drawn by the first process of a run; the others inherit them. */
const API_KEY = (process.env.BENCH_API_KEY ??= randomBytes(24).toString('hex'));
const JWT_SECRET = (process.env.BENCH_JWT_SECRET ??= randomBytes(32).toString('hex'));

/** The user's text is what makes a notification some 330 bytes long on the wire. */
const EVENT = {
  event_type: 'order.shipped',
  payload: { order_id: 4711, carrier: 'DHL', tracking: 'JJD000390007882823', note: 'Your parcel is on its way to you' },
  priority: 'Normal',
};

const sendBody = (user) => JSON.stringify({ target_user_id: user, ...EVENT });
const broadcastBody = () => JSON.stringify(EVENT);
const batchBody = (targets) => JSON.stringify({ notifications: targets.map((target) => ({ target, ...EVENT })) });

/** What a back end publishes in Redis for one user. */
const trigger = (user) => {
  const { event_type, payload, priority } = EVENT;
  return JSON.stringify({ type: 'user', target: user, event: { event_type, payload, priority } });
};
/** What a back end hands to a server that takes frames as they are. */
const publishedBody = () => JSON.stringify(notification('0192d3f4-5b6c-7d8e-9fa0-b1c2d3e4f5a6', EVENT));

/** The notification as the comparisons send it: the same members as Ara's. */
function notification(id, { event_type, payload, priority }) {
  return {
    type: 'notification',
    id,
    occurred_at: new Date().toISOString(),
    event_type,
    payload,
    metadata: { source: 'http-api', priority },
  };
}

/** The answer to a send, the same members as Ara's. */
function sendAnswer(id, deliveredTo) {
  return {
    success: deliveredTo > 0,
    notification_id: id,
    delivered_to: deliveredTo,
    failed: 0,
    timestamp: new Date().toISOString(),
    queued: false,
    queued_count: 0,
    durable: false,
  };
}

function tokenFor(user, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const all = { sub: user, exp: now + 86_400, iat: now, roles: ['user'], ...claims };
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(all)}`;
  return `${text}.${createHmac('sha256', JWT_SECRET).update(text).digest('base64url')}`;
}

// In one list, so that Node can tell the names to those who import them.
module.exports = {
  API_KEY,
  JWT_SECRET,
  EVENT,
  sendBody,
  broadcastBody,
  batchBody,
  publishedBody,
  trigger,
  notification,
  sendAnswer,
  tokenFor,
};
