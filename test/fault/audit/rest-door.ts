import { Agent, request } from 'node:http';
import type { Door } from './door';
import type { Answer } from './ledger';
import type { Node } from './node';
import type { Nodes } from './nodes';
import type { PostPlan, RequestPlan } from './plan';

const TIMEOUT_MS = 10_000;
/** Of an item of a batch: nothing was sent. */
const UNAVAILABLE = 'Queue unavailable';
const ENDPOINTS = '/api/v1/notifications/';

interface Report {
  readonly notification_id: string;
  readonly success: boolean;
  readonly queued?: boolean;
  readonly queued_count?: number;
  readonly durable?: boolean;
  readonly error?: string;
}

interface Response {
  readonly status: number;
  readonly text: string;
}

/** REST, over connections that are kept, at each node in turn. */
export class RestDoor implements Door {
  /** Requests without an answer, by the code of what happened to them. */
  readonly failures = new Map<string, number>();
  readonly #agent = new Agent({ keepAlive: true });

  constructor(private readonly nodes: Nodes) {}

  async post({ endpoint, posts }: RequestPlan): Promise<readonly Answer[]> {
    const { node, status, text } = await this.#balanced(endpoint, bodyOf(endpoint, posts));
    const answers = answersOf(endpoint, status, text);
    if (answers.some((answer) => answer.kind === 'accepted' && answer.durable)) node.lastDurableAt = performance.now();
    return answers;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Who refuses the connection was sent nothing: the next one is asked, as a load balancer does. */
  async #balanced(endpoint: string, body: unknown): Promise<Response & { readonly node: Node }> {
    for (let attempts = 1; ; attempts++) {
      const node = await this.nodes.next();
      try {
        return { node, ...(await this.#send(node, endpoint, body)) };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'none';
        if (code === 'ECONNREFUSED' && attempts < this.nodes.all.length) continue;
        this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
        throw error;
      }
    }
  }

  #send(node: Node, endpoint: string, body: unknown): Promise<Response> {
    const { url, env } = node.ara;
    const bytes = Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(ENDPOINTS + endpoint, url),
        {
          method: 'POST',
          agent: this.#agent,
          headers: { 'content-type': 'application/json', 'content-length': bytes.length, 'x-api-key': env['API_KEY'] },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => (text += part));
          answer.on('error', reject);
          answer.on('end', () => {
            resolve({ status: answer.statusCode ?? 0, text });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(bytes);
    });
  }
}

function bodyOf(endpoint: RequestPlan['endpoint'], posts: readonly PostPlan[]): unknown {
  const items = posts.map(({ n, users, priority }) => {
    const content = { event_type: 'audit', payload: { n }, priority };
    switch (endpoint) {
      case 'send':
        return { target_user_id: users[0], ...content };
      case 'send-to-users':
        return { target_user_ids: users, ...content };
      case 'batch':
        return { target: { type: 'user', value: users[0] }, ...content };
    }
  });
  return endpoint === 'batch' ? { notifications: items } : items[0];
}

function answersOf(endpoint: RequestPlan['endpoint'], status: number, text: string): Answer[] {
  if (status === 503) {
    const { error } = JSON.parse(text) as { error: { details?: { notification_id?: string } } };
    const id = error.details?.notification_id;
    return [{ kind: 'refused', isSent: false, ...(id !== undefined && { id }) }];
  }
  if (status !== 200) throw new Error(`${endpoint} answered ${status} ${text}`);
  const body = JSON.parse(text) as Report & { readonly results?: readonly Report[] };
  return endpoint === 'batch' ? (body.results ?? []).map(answerOf) : [answerOf(body)];
}

function answerOf({ success, notification_id: id, durable, queued, queued_count: count, error }: Report): Answer {
  if (!success) return { kind: 'refused', id, isSent: error !== UNAVAILABLE };
  return { kind: 'accepted', id, durable: durable === true, queued: count ?? (queued === true ? 1 : 0) };
}
