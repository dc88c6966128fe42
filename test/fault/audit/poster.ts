import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Ledger } from './ledger';
import type { Node } from './node';
import type { PostPlan, RequestPlan } from './plan';

const TIMEOUT_MS = 10_000;
/** Who fell behind does not catch up with more than this at once. */
const BURST_MS = 100;
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

/**
 * A back end that posts at its own pace, over connections it keeps, and never tries anything twice: what it is told is
 * written down as it is. While no process listens it waits, as it would behind a load balancer.
 */
export class Poster {
  posted = 0;
  isDone = false;
  /** Resolves when the last answer is there. */
  readonly done: Promise<void>;
  readonly #finish: () => void;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #underWay = new Set<Promise<void>>();
  #milestones: { readonly at: number; readonly reached: () => void }[] = [];

  constructor(
    private readonly node: Node,
    private readonly ledger: Ledger,
    private readonly options: {
      readonly perSecond: number;
      readonly concurrency: number;
      readonly mayLoseStore: boolean;
    },
  ) {
    let finish = (): void => undefined;
    this.done = new Promise((finished) => (finish = finished));
    this.#finish = finish;
  }

  /** Resolves when so many notifications have been posted. */
  reached(at: number): Promise<void> {
    if (this.posted >= at) return Promise.resolve();
    return new Promise((reached) => this.#milestones.push({ at, reached }));
  }

  /** Resolves when the last answer is there. */
  async postAll(requests: readonly RequestPlan[]): Promise<void> {
    let due = performance.now();
    for (const plan of requests) {
      due = Math.max(due + (1000 * plan.posts.length) / this.options.perSecond, performance.now() - BURST_MS);
      const early = due - performance.now();
      if (early > 1) await sleep(early);
      while (this.#underWay.size >= this.options.concurrency) await Promise.race(this.#underWay);
      await this.node.up;
      const posting: Promise<void> = this.#post(plan).finally(() => this.#underWay.delete(posting));
      this.#underWay.add(posting);
      this.#advance(plan.posts.length);
    }
    await Promise.all(this.#underWay);
    this.#agent.destroy();
    this.isDone = true;
    this.#finish();
  }

  #advance(count: number): void {
    this.posted += count;
    const isDue = ({ at }: { readonly at: number }): boolean => this.posted >= at;
    for (const { reached } of this.#milestones.filter(isDue)) reached();
    this.#milestones = this.#milestones.filter((milestone) => !isDue(milestone));
  }

  async #post({ endpoint, posts }: RequestPlan): Promise<void> {
    const now = performance.now();
    for (const post of posts) this.ledger.posted(post, now);
    // Without an answer nothing was promised.
    const answer = await this.#send(endpoint, bodyOf(endpoint, posts)).catch(() => undefined);
    if (answer === undefined) return;
    const at = performance.now();
    answersOf(endpoint, answer.status, answer.text, this.options.mayLoseStore).forEach((one, index) => {
      const post = posts[index];
      if (post !== undefined) this.ledger.answered(post.n, one, at);
    });
  }

  #send(endpoint: string, body: unknown): Promise<{ readonly status: number; readonly text: string }> {
    const { url, env } = this.node.ara;
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

function answersOf(endpoint: RequestPlan['endpoint'], status: number, text: string, mayLoseStore: boolean): Answer[] {
  if (status === 503) {
    const { error } = JSON.parse(text) as { error: { details?: { notification_id?: string } } };
    const id = error.details?.notification_id;
    return [{ kind: 'refused', isSent: false, ...(id !== undefined && { id }) }];
  }
  if (status !== 200) throw new Error(`${endpoint} answered ${status} ${text}`);
  const body = JSON.parse(text) as Report & { readonly results?: readonly Report[] };
  if (endpoint !== 'batch') return [answerOf(body)];
  // An item that does not say whether it is durable is, when it was queued, and while the store is there.
  return (body.results ?? []).map((item) =>
    answerOf({ ...item, durable: item.durable === true || item.queued === true || !mayLoseStore }),
  );
}

function answerOf({ success, notification_id: id, durable, queued, queued_count: count, error }: Report): Answer {
  if (!success) return { kind: 'refused', id, isSent: error !== UNAVAILABLE };
  return { kind: 'accepted', id, durable: durable === true, queued: count ?? (queued === true ? 1 : 0) };
}
