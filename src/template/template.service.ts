import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { AraError } from '../notification/ara-error';
import { Clock } from '../notification/clock';
import type { TenantId } from '../notification/ids';
import type { Priority } from '../notification/priority';
import type { RawJson } from '../protocol/raw-json';
import { CompilationCache } from './compilation-cache';
import { render, type Rendering } from './render';
import {
  checkChanges,
  checkDraft,
  isTemplateId,
  type Template,
  type TemplateChanges,
  type TemplateDraft,
} from './template';
import { TemplateStore } from './template-store';
import { Variables } from './variables';

/** What a request says beside the name of the template; its priority and ttl win over the template's. */
export interface TemplateUse {
  /** JSON text of an object; absent, `null` and `[]` stand for an empty one. */
  readonly variables?: RawJson | undefined;
  readonly priority?: Priority | undefined;
  readonly ttlSeconds?: number | undefined;
}

/** What a template and a request make together: the part of a notification that says what happened. */
export interface TemplatedContent {
  readonly eventType: string;
  readonly payload: RawJson;
  readonly priority: Priority;
  readonly ttlSeconds?: number;
}

/** The content with what its author wants to know about the variables. */
export interface TemplatePreview extends TemplatedContent, Rendering {}

/** Each lost attempt is another one's success, so this many in a row mean a store that never agrees. */
const MAX_UPDATE_ATTEMPTS = 100;

/** Keeps the rules of templates: ids, lengths, versions, what an unknown one means. Store failures pass through. */
@Injectable()
export class TemplateService implements OnModuleInit, OnApplicationShutdown {
  readonly #compilations = new CompilationCache();

  constructor(
    private readonly store: TemplateStore,
    private readonly clock: Clock,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.store.open();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.store.close();
  }

  /** Throws INVALID_ID, INVALID_TEMPLATE, TEMPLATE_EXISTS. */
  async create(tenant: TenantId, draft: TemplateDraft): Promise<Template> {
    checkDraft(draft);
    const now = timestamp(this.clock.now());
    const template: Template = { ...draft, createdAt: now, updatedAt: now };
    if (!(await this.store.create(tenant, template))) {
      throw new AraError('TEMPLATE_EXISTS', `Template already exists: ${draft.id}`);
    }
    return template;
  }

  /** Throws TEMPLATE_NOT_FOUND. */
  async get(tenant: TenantId, id: string): Promise<Template> {
    const template = await this.#find(tenant, id);
    if (template === undefined) throw notFound(id);
    return template;
  }

  /** All of the tenant's, by id. */
  list(tenant: TenantId): Promise<readonly Template[]> {
    return this.store.list(tenant);
  }

  /** Concurrent updates all take effect, one after the other. Throws TEMPLATE_NOT_FOUND, INVALID_TEMPLATE. */
  async update(tenant: TenantId, id: string, changes: TemplateChanges): Promise<Template> {
    for (let attempt = 0; attempt < MAX_UPDATE_ATTEMPTS; attempt++) {
      const current = await this.get(tenant, id);
      checkChanges(changes);
      // The time of change is the version too: it must differ even within one millisecond, or with clocks apart.
      const updatedAt = timestamp(Math.max(this.clock.now(), Date.parse(current.updatedAt) + 1));
      const next: Template = { ...current, ...changes, updatedAt };
      if (await this.store.replace(tenant, next, current.updatedAt)) return next;
    }
    throw new AraError('INTERNAL_ERROR', `Template could not be updated: ${id}`);
  }

  /** Throws TEMPLATE_NOT_FOUND. */
  async remove(tenant: TenantId, id: string): Promise<void> {
    if (!isTemplateId(id) || !(await this.store.remove(tenant, id))) throw notFound(id);
  }

  /** The content to send. Throws VALIDATION_ERROR: no such template, variables not an object, result too large. */
  async resolve(tenant: TenantId, id: string, use: TemplateUse): Promise<TemplatedContent> {
    const template = await this.#find(tenant, id);
    if (template === undefined) {
      throw new AraError('VALIDATION_ERROR', `Template not found: ${id}`, { details: { template_id: id } });
    }
    return this.#fill(template, use);
  }

  /** The same for the eyes of the template's author. Throws TEMPLATE_NOT_FOUND, VALIDATION_ERROR. */
  async preview(tenant: TenantId, id: string, use: TemplateUse): Promise<TemplatePreview> {
    return this.#fill(await this.get(tenant, id), use);
  }

  async #find(tenant: TenantId, id: string): Promise<Template | undefined> {
    return isTemplateId(id) ? this.store.find(tenant, id) : undefined;
  }

  #fill(template: Template, use: TemplateUse): TemplatePreview {
    const rendering = render(this.#compilations.get(template.payloadTemplate), Variables.parse(use.variables));
    const ttlSeconds = use.ttlSeconds ?? template.defaultTtl;
    return {
      eventType: template.eventType,
      priority: use.priority ?? template.defaultPriority,
      ...rendering,
      ...(ttlSeconds !== undefined && { ttlSeconds }),
    };
  }
}

function notFound(id: string): AraError {
  return new AraError('TEMPLATE_NOT_FOUND', `Template not found: ${id}`);
}

function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
