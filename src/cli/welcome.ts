import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AraConfig } from '../config/ara-config';
import { mintToken } from './token';

const USER = 'demo';
const TOKEN_SECONDS = 86_400;

/**
 * What a newcomer pastes first: a token, and a line each to listen and to send. Empty in production, and where tokens
 * are signed elsewhere. The token is a credential for a day: print it to a terminal, never to a log.
 */
export function welcome(config: AraConfig, cwd: string): string {
  if (config.production || config.jwt.algorithm !== 'HS256') return '';
  const url = `http://localhost:${config.server.port}`;
  const token = mintToken(config.jwt, { user: USER, ttlSeconds: TOKEN_SECONDS });
  const key = apiKeyArgument(config, cwd);
  const tenant = config.tenant.enabled ? ` -H 'X-Tenant-ID: default'` : '';
  const body = `{"target_user_id":"${USER}","event_type":"hello","payload":{"text":"Hello, Ara"}}`;
  return `
Ara is ready: ${url}

  Token of the user "${USER}", for a day:
    ${token}

  Listen over a WebSocket:
    node bin/ara.js listen --user ${USER}
  Listen over Server-Sent Events:
    curl -N "${url}/sse?token=$(node bin/ara.js token --user ${USER})"
  Send, from another terminal:
    curl ${url}/api/v1/notifications/send${key}${tenant} -H 'Content-Type: application/json' -d '${body}'
`;
}

/** The key stays where it is: the shell takes it from there. */
function apiKeyArgument({ apiKeys }: AraConfig, cwd: string): string {
  if (apiKeys.general.length === 0) return '';
  const dotenv = join(cwd, '.env');
  const isInDotenv = existsSync(dotenv) && /^API_KEY=[\w-]+$/m.test(readFileSync(dotenv, 'utf8'));
  return isInDotenv ? ` -H "X-API-Key: $(sed -n s/^API_KEY=//p .env)"` : ` -H "X-API-Key: $API_KEY"`;
}
