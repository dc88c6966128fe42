import type { TenantId } from '../notification/ids';
import { TemplateStore } from './template-store';
import type { Template } from './template';

/** Templates of this process; they end with it. */
export class MemoryTemplateStore extends TemplateStore {
  readonly backend = 'memory';
  readonly #tenants = new Map<TenantId, Map<string, Template>>();

  create(tenant: TenantId, template: Template): Promise<boolean> {
    const templates = this.#tenants.get(tenant) ?? new Map<string, Template>();
    const isNew = !templates.has(template.id);
    if (isNew) this.#tenants.set(tenant, templates.set(template.id, template));
    return Promise.resolve(isNew);
  }

  find(tenant: TenantId, id: string): Promise<Template | undefined> {
    return Promise.resolve(this.#tenants.get(tenant)?.get(id));
  }

  list(tenant: TenantId): Promise<readonly Template[]> {
    const templates = [...(this.#tenants.get(tenant)?.values() ?? [])];
    return Promise.resolve(templates.sort((a, b) => (a.id < b.id ? -1 : 1)));
  }

  replace(tenant: TenantId, next: Template, expectedUpdatedAt: string): Promise<boolean> {
    const templates = this.#tenants.get(tenant);
    if (templates?.get(next.id)?.updatedAt !== expectedUpdatedAt) return Promise.resolve(false);
    templates.set(next.id, next);
    return Promise.resolve(true);
  }

  remove(tenant: TenantId, id: string): Promise<boolean> {
    const templates = this.#tenants.get(tenant);
    const existed = templates?.delete(id) ?? false;
    if (templates?.size === 0) this.#tenants.delete(tenant);
    return Promise.resolve(existed);
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
