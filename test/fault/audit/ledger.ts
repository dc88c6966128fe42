import type { PostPlan } from './plan';

/** What the service answered about a post: nothing else decides what it owes. */
export type Answer =
  | { readonly kind: 'accepted'; readonly id?: string; readonly durable: boolean; readonly queued: number }
  /** Nobody was reached and nothing kept; `isSent`: it was tried. */
  | { readonly kind: 'refused'; readonly id?: string; readonly isSent: boolean };

/** A connection as its client sees it. */
export interface Session {
  readonly user: string;
  /** Of all devices. */
  readonly device: number;
  /** Its user may be given the same again by design: it never says that it has it. */
  readonly isSilent: boolean;
}

export interface Figures {
  readonly posted: number;
  readonly accepted: { readonly durable: number; readonly not_durable: number };
  /** Answered with a refusal. */
  readonly refused: number;
  /** The connection broke before an answer came: not promised, and may have arrived. */
  readonly unanswered: number;
  /** Pairs of notification and user. */
  readonly promised: number;
  readonly arrived: number;
  readonly lost: number;
  readonly lost_not_durable: number;
  /** Never acknowledged, not given up, and yet not given again. */
  readonly not_redelivered: number;
  readonly foreign: number;
  /** Posts with more than one id, and ids of more than one post. */
  readonly id_conflicts: number;
  readonly twice_on_a_connection: number;
  /** Seen before an earlier one of the same user and priority that had been accepted before this was posted. */
  readonly inversions: number;
  /** The same, of those that a fault of the store had withheld. */
  readonly inversions_by_recovery: number;
  /** What devices got again, of those that acknowledge or need not. */
  readonly duplicates: number;
  readonly duplicate_ratio: number;
}

interface Post extends PostPlan {
  readonly postedAt: number;
  answeredAt: number | undefined;
  answer: Answer | undefined;
  readonly ids: Set<string>;
}

/** What a user saw of a post. */
interface Sight {
  readonly at: number;
  /** Connections that brought it. */
  sessions: number;
  /** One of them after the posts were over. */
  atTheEnd: boolean;
}

interface SessionRecord {
  readonly seen: Set<string>;
}

/** A time in which the store was, or was getting over, being out of reach. */
export interface Outage {
  readonly from: number;
  until: number;
}

const MAX_EXAMPLES = 10;

/** Writes down what was accepted and what arrived, and compares. Times are of one clock, in ms. */
export class Ledger {
  readonly outages: Outage[] = [];
  /** Some of what is wrong, in words. */
  readonly examples: string[] = [];
  isAtTheEnd = false;
  /** Answers of `acked`, and acknowledgements that were not answered, because their connection ended. */
  acknowledged = 0;
  acksUnanswered = 0;
  queued = 0;
  /** What the service must have dispatched, the unanswered aside. */
  sent = 0;
  arrivals = 0;
  lastDurableAt = 0;
  readonly #posts = new Map<number, Post>();
  readonly #postOfId = new Map<string, number>();
  /** Per user, in the order of first sight. */
  readonly #sights = new Map<string, Map<number, Sight>>();
  readonly #sessions = new WeakMap<Session, SessionRecord>();
  readonly #devices = new Map<number, Set<number>>();
  readonly #silentUsers = new Set<string>();
  #foreign = 0;
  #idConflicts = 0;
  #twice = 0;
  #duplicates = 0;
  #counted = 0;

  /**
   * @param maxDeliveries connections after which the service gives up what is never acknowledged
   * @param isOrdered whether the door promises an order
   * @param isOfCluster whether an answer may say `queued` because the node that the user is at was late: what that node
   * was told may be overtaken
   */
  constructor(
    private readonly maxDeliveries: number,
    private readonly isOrdered = true,
    private readonly isOfCluster = false,
  ) {}

  posted(plan: PostPlan, at: number): void {
    this.#posts.set(plan.n, { ...plan, postedAt: at, answeredAt: undefined, answer: undefined, ids: new Set() });
  }

  /** Not called when no answer came. */
  answered(n: number, answer: Answer, at: number): void {
    const post = this.#posts.get(n);
    if (post === undefined) throw new Error(`${n} was never posted`);
    post.answer = answer;
    post.answeredAt = at;
    if (answer.id !== undefined) this.#identify(post, answer.id);
    if (answer.kind === 'refused') {
      if (answer.isSent) this.sent++;
      return;
    }
    this.sent++;
    this.queued += answer.queued;
    if (answer.durable) this.lastDurableAt = at;
  }

  arrived(session: Session, id: string, n: number, at: number): void {
    this.arrivals++;
    let record = this.#sessions.get(session);
    if (record === undefined) this.#sessions.set(session, (record = { seen: new Set() }));
    if (record.seen.has(id)) this.#twice += this.#wrong(`${id} twice on a connection of ${session.user}`);
    record.seen.add(id);
    const post = this.#posts.get(n);
    if (post?.users.includes(session.user) !== true) {
      this.#foreign += this.#wrong(`post ${n} (${id}) reached ${session.user}`);
      return;
    }
    this.#identify(post, id);
    this.#countRepeat(session, n);
    this.#see(session, n, at);
  }

  /** Whether everything that was accepted as durable has been seen by everybody it was for. */
  get isFulfilled(): boolean {
    for (const { post, user, isDurable } of this.#promises()) {
      if (isDurable && this.#sights.get(user)?.has(post.n) !== true) return false;
    }
    return true;
  }

  figures(): Figures {
    const posts = [...this.#posts.values()];
    const accepted = posts.flatMap(({ answer }) => (answer?.kind === 'accepted' ? [answer] : []));
    const durable = accepted.filter((answer) => answer.durable).length;
    let promised = 0;
    let arrived = 0;
    const missing = { durable: 0, volatile: 0 };
    for (const { post, user, isDurable } of this.#promises()) {
      promised++;
      if (this.#sights.get(user)?.has(post.n) === true) arrived++;
      else if (isDurable) missing.durable += this.#wrong(`post ${post.n} for ${user} was lost`);
      else missing.volatile++;
    }
    return {
      posted: posts.length,
      accepted: { durable, not_durable: accepted.length - durable },
      refused: posts.filter(({ answer }) => answer?.kind === 'refused').length,
      unanswered: posts.filter(({ answer }) => answer === undefined).length,
      promised,
      arrived,
      lost: missing.durable,
      lost_not_durable: missing.volatile,
      not_redelivered: this.#countNotRedelivered(),
      foreign: this.#foreign,
      id_conflicts: this.#idConflicts,
      twice_on_a_connection: this.#twice,
      ...this.#countInversions(),
      duplicates: this.#duplicates,
      duplicate_ratio: this.#counted === 0 ? 0 : Number((this.#duplicates / this.#counted).toFixed(4)),
    };
  }

  *#promises(): Generator<{ readonly post: Post; readonly user: string; readonly isDurable: boolean }> {
    for (const post of this.#posts.values()) {
      if (post.answer?.kind !== 'accepted') continue;
      for (const user of post.users) yield { post, user, isDurable: post.answer.durable };
    }
  }

  #identify(post: Post, id: string): void {
    if (post.ids.has(id)) return;
    post.ids.add(id);
    const other = this.#postOfId.get(id);
    this.#postOfId.set(id, post.n);
    if (post.ids.size > 1)
      this.#idConflicts += this.#wrong(`post ${post.n} has the ids ${[...post.ids].join(' and ')}`);
    else if (other !== undefined) this.#idConflicts += this.#wrong(`${id} is both post ${other} and post ${post.n}`);
  }

  #countRepeat({ device, isSilent, user }: Session, n: number): void {
    if (isSilent) this.#silentUsers.add(user);
    if (this.#silentUsers.has(user)) return;
    this.#counted++;
    let seen = this.#devices.get(device);
    if (seen === undefined) this.#devices.set(device, (seen = new Set()));
    if (seen.has(n)) this.#duplicates++;
    seen.add(n);
  }

  #see({ user }: Session, n: number, at: number): void {
    const sights = this.#sights.get(user) ?? new Map<number, Sight>();
    this.#sights.set(user, sights);
    let sight = sights.get(n);
    if (sight === undefined) sights.set(n, (sight = { at, sessions: 0, atTheEnd: false }));
    sight.sessions++;
    sight.atTheEnd ||= this.isAtTheEnd;
  }

  #countNotRedelivered(): number {
    let count = 0;
    for (const { post, user, isDurable } of this.#promises()) {
      if (!isDurable || !this.#silentUsers.has(user)) continue;
      const sight = this.#sights.get(user)?.get(post.n);
      if (sight === undefined || sight.atTheEnd || sight.sessions >= this.maxDeliveries) continue;
      count += this.#wrong(`post ${post.n} was not given to ${user} again`);
    }
    return count;
  }

  #countInversions(): Pick<Figures, 'inversions' | 'inversions_by_recovery'> {
    const counts = { inversions: 0, inversions_by_recovery: 0 };
    if (!this.isOrdered) return counts;
    for (const [user, sights] of this.#sights) {
      const latest = new Map<string, Post>();
      for (const [n, { at }] of sights) {
        const post = this.#posts.get(n);
        if (post === undefined) continue;
        const before = latest.get(post.priority);
        if (before === undefined || before.postedAt < post.postedAt) latest.set(post.priority, post);
        const { answeredAt, answer } = post;
        if (before === undefined || answer?.kind !== 'accepted') continue;
        if (answeredAt === undefined || answeredAt >= before.postedAt) continue;
        const isLate = this.isOfCluster && answer.queued > 0;
        const isRecovered = this.outages.some(({ from, until }) => post.postedAt < until && at > from);
        if (isLate || isRecovered) counts.inversions_by_recovery++;
        else counts.inversions += this.#wrong(`${user} saw post ${before.n} before post ${n}`);
      }
    }
    return counts;
  }

  #wrong(what: string): 1 {
    if (this.examples.length < MAX_EXAMPLES) this.examples.push(what);
    return 1;
  }
}
