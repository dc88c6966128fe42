import crypto from 'k6/crypto';
import encoding from 'k6/encoding';
import { JWT_SECRET, JWT_TOKEN } from '../config.js';

const HEADER = encoding.b64encode(JSON.stringify({ alg: 'HS256', typ: 'JWT' }), 'rawurl');

/**
 * A token for a virtual user: signed with JWT_SECRET for this user alone, else JWT_TOKEN for everybody, who then are one
 * user for the service and share its limit of connections.
 *
 * @param {string} user
 * @param {number} [lifeSeconds] from now to `exp`; may be negative
 */
export function tokenFor(user, lifeSeconds = 3600) {
  if (JWT_SECRET === undefined) {
    if (JWT_TOKEN === undefined) throw new Error('Set JWT_SECRET, as the service has it, or JWT_TOKEN.');
    return JWT_TOKEN;
  }
  const now = Math.floor(Date.now() / 1000);
  return sign({ sub: user, iat: now, exp: now + lifeSeconds }, JWT_SECRET);
}

/**
 * Signs with HMAC SHA-256 (HS256).
 *
 * @param {Record<string, unknown>} claims
 * @param {string} secret
 */
export function sign(claims, secret) {
  const signed = `${HEADER}.${encoding.b64encode(JSON.stringify(claims), 'rawurl')}`;
  return `${signed}.${crypto.hmac('sha256', secret, signed, 'base64rawurl')}`;
}
