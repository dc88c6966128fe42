import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { OnceClaims } from './once-claims';

const REMEMBERED_SECONDS = 120;

/** Claims over all nodes. Rejects with StoreUnavailableError; whether the claim was made is then unknown. */
@Injectable()
export class RedisOnceClaims extends OnceClaims {
  readonly #prefix: string;

  constructor(
    private readonly redis: RedisHaService,
    config: AraConfig,
  ) {
    super();
    this.#prefix = `${config.cluster.sessionPrefix}:claim`;
  }

  async claim(key: string): Promise<boolean> {
    const name = `${this.#prefix}:${createHash('sha256').update(key).digest('base64url')}`;
    const answer = await this.redis.run('once_claim', (redis) => redis.set(name, '', 'EX', REMEMBERED_SECONDS, 'NX'));
    return answer === 'OK';
  }
}
