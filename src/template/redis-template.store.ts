import { Injectable } from '@nestjs/common';
import type { TenantId } from '../notification/ids';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { encodeKeyPart } from '../redis-ha/redis-key';
import { RedisScript } from '../redis-ha/redis-script';
import type { Template } from './template';
import { TemplateStore } from './template-store';

const REPLACE = RedisScript.fromFiles(__dirname, 'template-replace.lua');

/** Templates in Redis (7.0 or later), one hash per tenant, seen by all nodes. */
@Injectable()
export class RedisTemplateStore extends TemplateStore {
  readonly backend = 'redis';

  constructor(private readonly redis: RedisHaService) {
    super();
  }

  async create(tenant: TenantId, template: Template): Promise<boolean> {
    return (
      1 === (await this.redis.run('template_create', (r) => r.hsetnx(keyOf(tenant), template.id, encode(template))))
    );
  }

  async find(tenant: TenantId, id: string): Promise<Template | undefined> {
    const value = await this.redis.run('template_find', (redis) => redis.hget(keyOf(tenant), id));
    return value === null ? undefined : decode(value);
  }

  async list(tenant: TenantId): Promise<readonly Template[]> {
    const values = await this.redis.run('template_list', (redis) => redis.hvals(keyOf(tenant)));
    return values.map(decode).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async replace(tenant: TenantId, next: Template, expectedUpdatedAt: string): Promise<boolean> {
    const args = [next.id, expectedUpdatedAt, encode(next)];
    return 1 === (await this.redis.run('template_replace', (redis) => REPLACE.run(redis, [keyOf(tenant)], args)));
  }

  async remove(tenant: TenantId, id: string): Promise<boolean> {
    return 1 === (await this.redis.run('template_remove', (redis) => redis.hdel(keyOf(tenant), id)));
  }

  open(): Promise<void> {
    return this.redis.waitUntilReady();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function keyOf(tenant: TenantId): string {
  return `ara:template:${encodeKeyPart(tenant)}`;
}

/** The version stands in front, so that a script can compare it without parsing JSON. */
function encode(template: Template): string {
  return `${template.updatedAt}\n${JSON.stringify(template)}`;
}

function decode(value: string): Template {
  return JSON.parse(value.slice(value.indexOf('\n') + 1)) as Template;
}
