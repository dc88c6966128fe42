/** Users, entries or records per script call: Redis serves nobody else meanwhile. */
const OPERATIONS_PER_CALL = 500;

/** Something that lies in a shard; see SHARDS. */
export interface Located {
  readonly shard: number;
}

/**
 * Calls `call` with groups of items that one script may touch: of one shard in a Redis Cluster, of any elsewhere; at
 * most 500 operations each. Groups of one shard follow one another in the order of the items; those of different shards
 * are under way together. Answers are in no particular order.
 *
 * @param weight operations of an item; one that has more than a call may is a group by itself
 */
export async function inShardGroups<Item extends Located, Answer>(
  items: readonly Item[],
  isCluster: boolean,
  call: (group: readonly Item[]) => Promise<Answer>,
  weight: (item: Item) => number = () => 1,
): Promise<Answer[]> {
  const answers = await Promise.all(
    (isCluster ? groupedByShard(items) : [items]).map(async (group) => {
      const perChunk: Answer[] = [];
      for (const chunk of inChunks(group, weight)) perChunk.push(await call(chunk));
      return perChunk;
    }),
  );
  return answers.flat();
}

export function groupedByShard<Item extends Located>(items: readonly Item[]): Item[][] {
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const group = groups.get(item.shard);
    if (group === undefined) groups.set(item.shard, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** The shards that one script call touches. The script names them by their number in it, from 1. */
export class ShardList {
  readonly keys: string[] = [];
  readonly #numbers = new Map<number, number>();

  /** @param keysOf those of a shard that the script needs */
  constructor(private readonly keysOf: (shard: number) => readonly string[]) {}

  get length(): number {
    return this.#numbers.size;
  }

  numberOf(shard: number): number {
    let number = this.#numbers.get(shard);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(shard, number);
      this.keys.push(...this.keysOf(shard));
    }
    return number;
  }
}

function inChunks<Item>(items: readonly Item[], weight: (item: Item) => number): Item[][] {
  const chunks: Item[][] = [];
  let room = 0;
  for (const item of items) {
    const last = chunks.at(-1);
    if (last !== undefined && weight(item) <= room) last.push(item);
    else {
      chunks.push([item]);
      room = OPERATIONS_PER_CALL;
    }
    room -= weight(item);
  }
  return chunks;
}
