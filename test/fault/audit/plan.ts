import type { Priority } from '../../../src/notification/priority';
import { Random } from './random';

export interface DevicePlan {
  readonly transport: 'websocket' | 'sse';
  /** `steady`: there all the time; `roaming`: leaves and comes back; `absent`: comes at the end only. */
  readonly presence: 'steady' | 'roaming' | 'absent';
  /** Says nothing to what it receives until the end. */
  readonly isSilent: boolean;
}

export interface UserPlan {
  readonly name: string;
  readonly devices: readonly DevicePlan[];
}

/** One notification. `n` stands in its payload, so that it is known again also when nobody was told its id. */
export interface PostPlan {
  readonly n: number;
  readonly users: readonly string[];
  readonly priority: Priority;
}

export interface RequestPlan {
  readonly endpoint: 'send' | 'send-to-users' | 'batch';
  readonly posts: readonly PostPlan[];
}

export interface Plan {
  readonly users: readonly UserPlan[];
  readonly requests: readonly RequestPlan[];
}

const POSTS_PER_USER = 50;
const USERS = { atLeast: 16, atMost: 200 };
const MAX_BATCH = 10;
const MAX_GROUP = 5;

const steady: DevicePlan = { transport: 'websocket', presence: 'steady', isSilent: false };
const sse: DevicePlan = { ...steady, transport: 'sse' };
/** In turn, so that also the smallest audit has users of every kind. */
const KINDS: readonly (readonly DevicePlan[])[] = [
  [steady],
  [{ ...steady, presence: 'roaming' }],
  [sse],
  [steady, steady],
  [steady],
  [{ ...steady, isSilent: true }],
  [steady, { ...steady, presence: 'roaming' }],
  [{ ...steady, presence: 'absent' }],
  [steady, sse],
  [{ ...sse, presence: 'absent' }],
];

/** Who is there and what is posted, decided by the seed alone. */
export function planOf(n: number, seed: number, hasAcks: boolean, userCount?: number): Plan {
  const random = new Random(seed);
  const count = userCount ?? Math.min(USERS.atMost, Math.max(USERS.atLeast, Math.floor(n / POSTS_PER_USER)));
  const users = Array.from({ length: count }, (_, at): UserPlan => {
    const devices = KINDS[at % KINDS.length] ?? [steady];
    return { name: `user-${at}`, devices: hasAcks ? devices : devices.map((plan) => ({ ...plan, isSilent: false })) };
  });
  const requests: RequestPlan[] = [];
  for (let posted = 0; posted < n;) {
    const endpoint = random.weighted({ send: 80, 'send-to-users': 15, batch: 5 });
    const posts = Array.from({ length: endpoint === 'batch' ? Math.min(random.between(2, MAX_BATCH), n - posted) : 1 });
    requests.push({
      endpoint,
      posts: posts.map(() => ({
        n: posted++,
        users: recipients(random, count, endpoint === 'send-to-users' ? random.between(2, MAX_GROUP) : 1),
        priority: random.weighted({ Normal: 70, High: 15, Low: 10, Critical: 5 }),
      })),
    });
  }
  return { users, requests };
}

function recipients(random: Random, users: number, count: number): string[] {
  const names = new Set<string>();
  while (names.size < count) names.add(`user-${random.between(0, users - 1)}`);
  return [...names];
}
