import exec from 'k6/execution';
import http from 'k6/http';
import { API_KEY, API_URL } from '../config.js';

/** @type {Record<string, string>} */
const HEADERS = { 'Content-Type': 'application/json', ...(API_KEY !== undefined && { 'X-API-Key': API_KEY }) };

/**
 * POSTs JSON; `name` is what k6 groups the request under.
 *
 * @param {string} path
 * @param {unknown} body
 */
export function post(path, body) {
  return http.post(`${API_URL}${path}`, JSON.stringify(body), { headers: HEADERS, tags: { name: path } });
}

/**
 * The body of a 200 as JSON; undefined for any other answer.
 *
 * @param {import('k6/http').RefinedResponse<'text' | undefined>} response
 * @returns {any}
 */
export function answerOf(response) {
  if (response.status !== 200) return undefined;
  try {
    return response.json();
  } catch {
    return undefined;
  }
}

/** For `setup`: ends the run when there is no service, instead of failing with every request. */
export function requireService() {
  const response = http.get(`${API_URL}/health`, { tags: { name: '/health' } });
  if (response.status !== 200)
    exec.test.abort(`No service at ${API_URL}: /health answered ${response.status} ${response.error}`);
}

/** Connections that the service has open, its other clients' included. @returns {number | undefined} */
export function openConnections() {
  const response = http.get(`${API_URL}/health`, { tags: { name: '/health' } });
  return answerOf(response)?.connections?.total;
}
